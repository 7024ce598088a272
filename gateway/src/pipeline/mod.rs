//! The turn pipeline: messages that wait become turns, turns become commits.
//!
//! [`turn`] is the heart: what one message causes. Around it: [`queue`] says who is next, [`commit`] writes many turns
//! at once, and this file is the loop that holds them together. A turn is harmless until its commit; whatever goes
//! wrong before (a lost race, a lost bucket, a killed process) is answered by running it again.

mod artifact_files;
mod caused;
mod commit;
mod components;
mod drafts;
mod give_way;
mod groups;
mod journal;
mod looks;
mod memory;
mod plugins;
mod queue;
mod reads;
mod rollouts;
mod room;
mod shelf;
mod takers;
mod told;
mod trial;
mod turn;
mod work;

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::directory::Directory;
use crate::domain::{Clock, ContactId, ConversationId, IdGenerator, Leeway, NumberId, TenantId};
use crate::outbox::AtOnce;
use crate::outcalls::Outcalls;
use crate::ownership::Owned;
use crate::plugin_host::Seeds;
use crate::storage::conversations::{self, Conversation};
use crate::storage::events::PendingEvent;
use crate::storage::outbox::OutboxRow;
use crate::storage::people::{self, Consents};
use crate::storage::{Db, Result, former_numbers};
use crate::telemetry::names;

use commit::{Committer, Fate, MetricNames, TimerCounts};
use looks::{Look, Looked};
use memory::{Memory, Used};
use queue::{Queue, Took};
use turn::{Finished, Ran, TurnInput, Turns, Wait};

pub use components::{ComponentBudget, Components, Stocked};
pub use plugins::{NotRunnable, Plugins, PluginsParts};
pub use rollouts::Rollouts;
pub use told::Watchers;

/// How turns are run.
#[derive(Debug, Clone, Copy)]
pub struct PipelineConfig {
    /// Turns under way at once.
    pub concurrency: usize,
    /// Most turns in one commit. On SQLite this bounds how long the writer is held.
    pub commit_turns: usize,
    /// Events held in memory, and as many again that wait for a plugin; the rest waits in the database.
    pub queue: usize,
    /// Threads that run guests: heavy turns under way are bounded by them.
    pub guest_threads: usize,
    /// Bytes that one plugin may remember at one tenant.
    pub kv_total_bytes: u64,
    /// How often to look without being woken.
    pub look: Duration,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self {
            concurrency: 128,
            commit_turns: 64,
            queue: 10_000,
            guest_threads: 1,
            kv_total_bytes: 64 << 20,
            look: Duration::from_secs(1),
        }
    }
}

/// What the pipeline is made of.
pub struct PipelineParts {
    pub db: Db,
    pub config: PipelineConfig,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdGenerator>,
    pub directory: Arc<Directory>,
    pub plugins: Arc<Plugins>,
    pub rollouts: Arc<Rollouts>,
    pub outcalls: Arc<Outcalls>,
    pub watchers: Watchers,
    pub seeds: Seeds,
    pub owned: Owned,
    /// Messages as ingest attaches them.
    pub events: mpsc::Receiver<Vec<PendingEvent>>,
    /// Told of committed sends; what it does not take, delivery finds in the database.
    pub sends: Arc<dyn Fn(Vec<OutboxRow>) + Send + Sync>,
    /// Asked which sends may go with the commits that write them.
    pub at_once: Arc<dyn AtOnce>,
    /// Told how long turns of tenants wait that have all they want.
    pub leeway: Arc<Leeway>,
    /// While set, nothing begins: for maintenance and for measuring ingest alone.
    pub paused: Arc<AtomicBool>,
}

/// The pipeline's task.
pub struct Pipeline {
    parts: PipelineParts,
    turns: Arc<Turns>,
    used: Used,
    queue: Queue,
    look: Look,
    /// Another is on its way, before that of each second.
    look_comes: bool,
    /// The last messages of conversations that had their turn during the look.
    ended: HashMap<ConversationId, i64>,
    /// What arrived for those who are looked for: it is offered when it is known what stands before it.
    arrived: Vec<PendingEvent>,
    ran: (
        mpsc::UnboundedSender<Report>,
        mpsc::UnboundedReceiver<Report>,
    ),
}

/// What a task of the pipeline has to say.
enum Report {
    /// And what it took.
    Ran(Box<TurnInput>, Ran, Took),
    Committed {
        fates: Vec<(ConversationId, i64, Fate)>,
    },
    Due(ConversationId),
    /// It is time to look into the database.
    Look,
    Looked(Looked),
    /// A bug in a turn: the pipeline ends with it, and the node with the pipeline.
    Panicked(Box<dyn Any + Send>),
}

/// A database that does not answer is asked again after this.
const AGAIN: Duration = Duration::from_millis(200);
/// Conversations read in one query.
const LOADED: usize = 64;

impl Pipeline {
    pub fn new(parts: PipelineParts) -> Self {
        let used = Used::default();
        let turns = Turns {
            db: parts.db.clone(),
            clock: parts.clock.clone(),
            ids: parts.ids.clone(),
            plugins: parts.plugins.clone(),
            memory: Memory::start(parts.db.clone(), used.clone(), kv_total(&parts.config)),
            seeds: parts.seeds.clone(),
            rollouts: parts.rollouts.clone(),
            outcalls: parts.outcalls.clone(),
            watchers: parts.watchers.clone(),
        };
        Self {
            queue: Queue::new(
                parts.config.concurrency,
                parts.config.queue,
                parts.config.guest_threads,
                match parts.db.is_sqlite() {
                    true => give_way::USUAL_SQLITE,
                    false => give_way::USUAL_POSTGRES,
                },
            ),
            look: Look::Rests,
            look_comes: false,
            ended: HashMap::new(),
            arrived: Vec::new(),
            parts,
            turns: Arc::new(turns),
            used,
            ran: mpsc::unbounded_channel(),
        }
    }

    /// Runs turns until stopped, then waits for those under way.
    pub async fn run(mut self, stop: CancellationToken) {
        let (commits, committing) = mpsc::unbounded_channel();
        let committer = Committer {
            db: self.parts.db.clone(),
            ids: self.parts.ids.clone(),
            owned: self.parts.owned.clone(),
            kv_total: kv_total(&self.parts.config),
            used: self.used.clone(),
            timers: TimerCounts::default(),
            metrics: MetricNames::default(),
            at_once: self.parts.at_once.clone(),
        };
        let mut committer = tokio::spawn(groups::commit(
            committer,
            self.parts.config.commit_turns,
            self.parts.sends.clone(),
            committing,
            self.ran.0.clone(),
        ));
        let mut look = tokio::time::interval(self.parts.config.look);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !(stop.is_cancelled() && self.queue.running() == 0) {
            tokio::select! {
                () = stop.cancelled(), if self.queue.running() == 0 => {}
                Some(report) = self.ran.1.recv() => {
                    self.heard(report, &commits);
                    while let Ok(report) = self.ran.1.try_recv() {
                        self.heard(report, &commits);
                    }
                }
                Some(events) = self.parts.events.recv() => {
                    events.into_iter().for_each(|event| self.arrive(event));
                }
                Ok(()) = self.parts.owned.changed() => self.owners_changed(),
                _ = look.tick() => self.look(),
                ended = &mut committer => panic!("the committing task ended before its work: {ended:?}"),
            }
            let now = self.parts.clock.now();
            self.queue.share(&self.parts.leeway, now);
            let paused = self.parts.paused.load(Ordering::Relaxed);
            if !stop.is_cancelled() && !paused {
                self.dispatch().await;
                self.look_soon();
            }
        }
        drop(commits);
        if committer.await.is_err() {
            tracing::error!("the committing task ended badly");
        }
    }

    fn owners_changed(&mut self) {
        let owned = self.parts.owned.borrow_and_update().clone();
        self.queue.keep_buckets(|bucket| owned.owns(bucket));
        match self.look {
            Look::UnderWay => self.look = Look::Outdated,
            _ => self.look(),
        }
    }

    /// Begins as many turns as there is room for.
    async fn dispatch(&mut self) {
        loop {
            let now = self.parts.clock.now();
            let batch: Vec<PendingEvent> = std::iter::from_fn(|| self.queue.next(now))
                .take(LOADED)
                .collect();
            if batch.is_empty() {
                return;
            }
            match self.load(&batch).await {
                Ok(loaded) => batch
                    .into_iter()
                    .for_each(|event| self.begin(event, &loaded)),
                Err(error) => {
                    tracing::warn!(error = ?error, "conversations could not be read; trying again");
                    batch
                        .iter()
                        .for_each(|event| self.later(event.conversation, AGAIN));
                    return;
                }
            }
        }
    }

    /// What turns begin with, unless they know it already.
    async fn load(&self, batch: &[PendingEvent]) -> Result<Loaded> {
        let unmet = batch.iter().filter(|event| event.met.is_none());
        let ids: Vec<ConversationId> = unmet.map(|event| event.conversation).collect();
        if ids.is_empty() {
            return Ok(Loaded::default());
        }
        let mut tx = self.parts.db.glance().await?;
        let rows = conversations::load_all_tenants(&mut tx, &ids).await?;
        let contacts: Vec<ContactId> = rows.iter().map(|row| row.contact).collect();
        let consent = people::read_consent_all_tenants(&mut tx, &contacts).await?;
        Ok(Loaded {
            conversations: rows.into_iter().map(|row| (row.id, row)).collect(),
            consent,
        })
    }

    fn begin(&mut self, event: PendingEvent, loaded: &Loaded) {
        let (conversation, seq) = (event.conversation, event.seq);
        let met = event.met.clone();
        let row = met.as_ref().map(|met| &met.conversation);
        let row = row.or_else(|| loaded.conversations.get(&conversation));
        let Some(row) = row else {
            // Erased since it was found; what is not, a look finds again.
            return self.queue.forget(conversation);
        };
        if seq <= row.done_seq {
            return self.queue.done(conversation, seq);
        }
        let snapshot = self.parts.directory.snapshot();
        let Some(entry) = snapshot.number(event.number).cloned() else {
            if snapshot.former(event.number).is_some() {
                self.end_turns(event.tenant, event.number);
            }
            // Else the number is newer than our view of the setup: it comes with a fresh view.
            return self.later(conversation, AGAIN);
        };
        if seq > row.done_seq + 1 {
            // An earlier message is in the database only.
            return self.queue.forget(conversation);
        }
        let consent = met.as_ref().map(|met| met.consent);
        let consent = consent
            .or_else(|| loaded.consent.of(row.contact).map(|row| row.state))
            .unwrap_or_default();
        let input = TurnInput {
            weight: self.queue.weight(event.tenant),
            event,
            entry,
            conversation: row.clone(),
            consent,
            tries: self.queue.tries(conversation),
        };
        let (turns, ran) = (self.turns.clone(), self.ran.0.clone());
        tokio::spawn(async move {
            // Nothing of a turn outlives its panic but the report of it.
            let turn = AssertUnwindSafe(turns.run(input.clone()));
            let report = match turn.catch_unwind().await {
                Ok((result, took)) => Report::Ran(Box::new(input), result, took),
                Err(panic) => Report::Panicked(panic),
            };
            // The loop outlives its turns; at a hard stop there is nobody to tell.
            let _ = ran.send(report);
        });
    }

    fn heard(&mut self, report: Report, commits: &mpsc::UnboundedSender<(Finished, bool)>) {
        if let Report::Ran(input, _, took) = &report {
            let now = self.parts.clock.now();
            self.queue.measured(input.event.conversation, *took, now);
        }
        match report {
            Report::Ran(input, Ran::Later { after, why }, _) => {
                let PendingEvent {
                    conversation, seq, ..
                } = input.event;
                match why {
                    Wait::Asked => {
                        // It wants to know anew what it was told.
                        self.parts.outcalls.forget(conversation, seq);
                        self.queue.note(conversation, |tries| tries.retries += 1);
                        self.later(conversation, after);
                    }
                    Wait::Room => self.later(conversation, after),
                    Wait::Plugin => {
                        self.queue.set_aside(conversation);
                        self.due_after(conversation, after);
                    }
                }
            }
            Report::Ran(_, Ran::Finished(turn), _) => {
                let single = self.queue.tries(turn.event.conversation).single;
                // Its receiver lives until `run` drops the sender.
                let _ = commits.send((*turn, single));
            }
            Report::Committed { fates } => {
                for (conversation, seq, fate) in fates {
                    self.settle(conversation, seq, fate);
                }
            }
            Report::Due(conversation) => self.queue.due(conversation),
            Report::Look => {
                self.look_comes = false;
                self.look();
            }
            Report::Looked(looked) => self.looked(looked),
            Report::Panicked(panic) => std::panic::resume_unwind(panic),
        }
    }

    fn settle(&mut self, conversation: ConversationId, seq: i64, fate: Fate) {
        let result = match fate {
            Fate::Committed => "committed",
            Fate::NotOurs => "not_ours",
            Fate::LostRace => "lost_race",
            Fate::Switched => "switched",
            Fate::Singly => "singly",
            Fate::Failed => "failed",
        };
        metrics::counter!(names::TURNS, "result" => result).increment(1);
        if matches!(fate, Fate::Committed | Fate::NotOurs) {
            self.parts.outcalls.forget(conversation, seq);
            if self.look != Look::Rests {
                self.ended.insert(conversation, seq);
            }
        }
        match fate {
            Fate::Committed => {
                let now = self.parts.clock.now();
                self.queue.committed(conversation, seq, now);
            }
            Fate::NotOurs => self.queue.done(conversation, seq),
            Fate::LostRace => self.queue.lost_race(conversation),
            Fate::Switched => self.with_fresh_setup(conversation),
            Fate::Singly => {
                self.queue.note(conversation, |tries| tries.single = true);
                self.queue.again(conversation);
            }
            Fate::Failed => self.later(conversation, AGAIN),
        }
    }

    /// A message that was attached while its number was being taken away: nobody answers it.
    fn end_turns(&self, tenant: TenantId, number: NumberId) {
        let db = self.parts.db.clone();
        tokio::spawn(async move {
            if let Err(error) = end_turns(&db, tenant, number).await {
                tracing::warn!(%error, %number, "messages of a number that is gone wait; trying again");
            }
        });
    }

    /// Runs the turn again once setup is read: with the old one it would only run for the retired version again.
    fn with_fresh_setup(&mut self, conversation: ConversationId) {
        self.queue.park(conversation);
        let (ran, directory) = (self.ran.0.clone(), self.parts.directory.clone());
        tokio::spawn(async move {
            if let Err(error) = directory.refresh().await {
                tracing::warn!(%error, "setup could not be read after a switch; trying again");
                tokio::time::sleep(AGAIN).await;
            }
            let _ = ran.send(Report::Due(conversation));
        });
    }

    fn later(&mut self, conversation: ConversationId, after: Duration) {
        self.queue.park(conversation);
        self.due_after(conversation, after);
    }

    fn due_after(&self, conversation: ConversationId, after: Duration) {
        let ran = self.ran.0.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let _ = ran.send(Report::Due(conversation));
        });
    }
}

#[derive(Default)]
struct Loaded {
    conversations: HashMap<ConversationId, Conversation>,
    consent: Consents,
}

async fn end_turns(db: &Db, tenant: TenantId, number: NumberId) -> Result<()> {
    let mut tx = db.begin().await?;
    former_numbers::end_turns(&mut tx, tenant, number).await?;
    tx.commit().await
}

/// The quota as the database counts.
fn kv_total(config: &PipelineConfig) -> i64 {
    i64::try_from(config.kv_total_bytes).unwrap_or(i64::MAX)
}
