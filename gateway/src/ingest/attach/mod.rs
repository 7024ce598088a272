//! Attaching: bodies that were kept become events of conversations, receipts of sends and consent of people.
//!
//! Where nothing stands before them, bodies are attached by the commit that takes them in ([`Attacher::at_once`]). The
//! others wait: for one task a node, many bodies a transaction, only of buckets that the node owns (the fence says so at commit). All
//! of it can run again: events are known by their keys, receipts by send and status, so a batch that fails is simply
//! read again.

mod account;
mod at_once;
mod backlogs;
mod batch;
mod consent;
mod count;
mod kept;
mod lanes;
mod owners;
mod people;
mod receipts;
mod split;
mod templates;
mod waiting;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use siphasher::sip::SipHasher13;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::directory::{Directory, Snapshot};
use crate::domain::{Clock, IdGenerator, Leeway, RawId};
use crate::metering::Meter;
use crate::ownership::{Owned, Wakeups};
use crate::storage::events::PendingEvent;
use crate::storage::outbox::OutboxRow;
use crate::storage::raw::{self, Place, RawRow, SizedRow};
use crate::storage::{Db, StorageError, Tx, changes};
use crate::telemetry::names;
use crate::tenants::SetupError;

use backlogs::Ahead;
pub use backlogs::Backlogs;
pub use kept::Kept;
use waiting::Waiting;

/// How bodies are attached.
#[derive(Debug, Clone, Copy)]
pub struct AttacherConfig {
    /// Most bodies in one transaction.
    pub most: usize,
    /// Most rows that are attached by the commit that takes them in; where more comes within a commit, all wait for a while: the
    /// node is busy, and bodies are cheaper then kept at once and attached many together.
    pub most_at_once: usize,
    /// The body that reaches so many bytes is the last of a transaction: what a batch holds in memory.
    pub most_bytes: usize,
    /// The body that reaches so many messages, statuses and others is the last of a transaction: how long it holds its
    /// locks, and on SQLite the writer.
    pub most_items: usize,
    /// How often to look without being woken.
    pub look: Duration,
    /// How long events are known: older messages are stored and start no turn (promise 2).
    pub known_for: Duration,
}

/// On SQLite a batch holds the one writer, and acknowledgements wait for its end. A guess; `bench` measures both that and what
/// becomes of the turns (docs/performance.md).
const MOST_SQLITE: usize = 48;
/// On PostgreSQL a batch is mostly ways to the server, whatever it holds.
const MOST_POSTGRES: usize = 128;
/// With 128 a quarter of the turns a second was lost (docs/performance.md): batches are as small as what comes within 10 ms.
const MOST_AT_ONCE_POSTGRES: usize = 24;

impl AttacherConfig {
    pub fn on(db: &Db) -> Self {
        match db.is_sqlite() {
            true => Self {
                most: MOST_SQLITE,
                most_at_once: MOST_SQLITE,
                ..Self::default()
            },
            false => Self::default(),
        }
    }
}

impl Default for AttacherConfig {
    fn default() -> Self {
        Self {
            most: MOST_POSTGRES,
            most_at_once: MOST_AT_ONCE_POSTGRES,
            // Two of the largest bodies that are taken, and two of the largest batches that Meta sends (§1.2). Guesses:
            // an ordinary batch is far below both.
            most_bytes: 8 << 20,
            most_items: 2_000,
            look: Duration::from_secs(1),
            known_for: Duration::from_secs(30 * 86_400),
        }
    }
}

/// What a committed batch leaves for others on this node.
#[derive(Debug, Default)]
pub(super) struct Attached {
    /// Messages that wait for their turn, in order.
    pub events: Vec<PendingEvent>,
    /// Receipts that wait for theirs.
    turns: Vec<PendingEvent>,
    /// Confirmations of opt-outs.
    pub sends: Vec<OutboxRow>,
    /// Conversations that were taken from the bot.
    taken: Vec<owners::Taken>,
}

/// Who wants to know of messages that were attached.
pub type Received = dyn Fn(&[PendingEvent]) + Send + Sync;

/// The attaching task and what it works with.
pub struct Attacher {
    pub db: Db,
    pub config: AttacherConfig,
    pub directory: Arc<Directory>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdGenerator>,
    /// Keyed, so that nobody outside can make two events look like one.
    pub hasher: SipHasher13,
    pub owned: Owned,
    pub wakeups: Arc<Wakeups>,
    /// Where attached messages go. When it is full they are left to be found in the database.
    pub events: mpsc::Sender<Vec<PendingEvent>>,
    /// Told of committed sends; what it does not take, delivery finds in the database.
    pub sends: Arc<dyn Fn(Vec<OutboxRow>) + Send + Sync>,
    /// Told of messages that people hold off.
    pub meter: Arc<Meter>,
    /// Bodies that this node has kept and that wait.
    pub kept: Kept,
    /// How much of the node backlogs of single numbers may have.
    pub leeway: Arc<Leeway>,
    pub backlogs: Arc<Backlogs>,
    /// Told of the number of every message that was attached: it shares the number's throughput with what is sent.
    pub received: Arc<Received>,
}

/// Why a batch was not committed.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttachError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Another node made the same contact at the same moment: read again, it is known now.
    #[error("a race for a person was lost")]
    Race,
    /// More came together than is attached as it comes.
    #[error("too many came together")]
    Many,
    /// Others write, for longer than this can wait.
    #[error("the writer was not free in time")]
    Late,
    /// Bodies may be of numbers that are in it only: they wait.
    #[error("setup has changed and could not be read")]
    Setup(#[source] SetupError),
}

impl AttachError {
    /// Says what is wrong, unless it is in the order of things; answers what is left.
    fn told(self) -> Left {
        match self {
            Self::Race | Self::Late | Self::Many => Left::More,
            Self::Storage(StorageError::Fenced(bucket)) => {
                tracing::info!(bucket, "a bucket was lost while its bodies were attached");
                Left::Nothing
            }
            Self::Storage(error) if error.is_lost_race() => Left::More,
            Self::Setup(error) => {
                tracing::error!(%error, "setup could not be read, so bodies wait; trying again");
                Left::Nothing
            }
            Self::Storage(error) => {
                tracing::error!(error = ?error, "bodies could not be attached; trying again");
                Left::Nothing
            }
        }
    }
}

/// What may be left behind a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    More,
    /// Nothing but of numbers with backlogs, as far as it was looked: others are let before them.
    Backlogs,
}

/// Where backlogs give way, so many of their bodies go together, so far apart while they may have nearly all, and as much farther
/// as they may have less: 800 a second, and 100 at least, which is little work for any machine.
const OF_BACKLOGS: usize = 8;
const BACKLOGS_APART: Duration = Duration::from_millis(10);
const LEAST_SHARE: f64 = 0.125;

impl Attacher {
    /// Attaches until stopped.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut owned = self.owned.clone();
        let mut looks = tokio::time::interval(self.config.look);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut waiting = Waiting::new();
        let mut rest = Box::pin(tokio::time::sleep(Duration::ZERO));
        loop {
            if looks.tick().now_or_never().is_some() {
                self.look(&mut waiting);
            }
            // One that nobody has polled does not know that it is over.
            let rested = rest.as_mut().now_or_never().is_some();
            let share = self.leeway.share();
            let of_backlogs = match (share < 1.0 && waiting.gives_way(), rested) {
                (true, false) => 0,
                (true, true) if self.backlogs.take_others() > 0 => {
                    let apart = BACKLOGS_APART.div_f64(share.max(LEAST_SHARE));
                    rest = Box::pin(tokio::time::sleep(apart));
                    OF_BACKLOGS
                }
                // Where everybody has a backlog nobody is let before.
                _ => self.config.most,
            };
            let left = self.once(&mut owned, &mut waiting, of_backlogs).await;
            let left = left.unwrap_or_else(AttachError::told);
            if stop.is_cancelled() {
                return;
            }
            if left != Left::More {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.wakeups.raw.notified() => {}
                    () = &mut rest, if left == Left::Backlogs => {}
                    changed = owned.changed() => match changed {
                        // Seen by now: the next batch would not notice.
                        Ok(()) => self.forget(&mut waiting),
                        Err(_) => return,
                    },
                    _ = looks.tick() => self.look(&mut waiting),
                }
            }
        }
    }

    /// Other buckets are ours.
    fn forget(&self, waiting: &mut Waiting) {
        waiting.forget();
        self.backlogs.tell(None, self.clock.now());
    }

    fn look(&self, waiting: &mut Waiting) {
        waiting.look();
        let now = self.clock.now();
        let late = waiting.since_before(now.minus(backlogs::LATE));
        self.backlogs.tell(late, now);
    }

    /// Attaches one batch of what waits, with so many bodies of backlogs in it.
    async fn once(
        &self,
        owned: &mut Owned,
        waiting: &mut Waiting,
        of_backlogs: usize,
    ) -> Result<Left, AttachError> {
        let owned = {
            let owned = owned.borrow_and_update();
            if owned.has_changed() {
                self.forget(waiting);
            }
            owned.clone()
        };
        let mut tx = self.db.glance().await?;
        let now = self.clock.now();
        waiting.read(&mut tx, &owned.buckets(), now).await?;
        let ahead = self.ahead();
        let picked = waiting.pick(self.config.most, of_backlogs, |lane| ahead.has(lane));
        self.leeway.tell_backlog(waiting.has_backlog());
        let (raws, gone) = self.bodies(&mut tx, &picked).await?;
        self.kept.done(gone.iter().copied());
        waiting.done(gone);
        if raws.is_empty() {
            return Ok(match waiting.has_more() {
                true if of_backlogs == 0 && !waiting.is_unread() => Left::Backlogs,
                true => Left::More,
                false => Left::Nothing,
            });
        }
        let setup = changes::setup_version_all_tenants(&mut tx).await?;
        drop(tx);
        let snapshot = self.setup_of(setup).await?;
        let split = split::split(&raws, &snapshot, &self.hasher, self.config.most_items);
        let taken = split.bodies;
        let batch = batch::commit(self, &owned, &raws[..taken], split).await?;
        self.hand_on(batch);
        let attached: Vec<Place> = raws[..taken].iter().filter_map(RawRow::place).collect();
        self.kept.done(attached.iter().copied());
        self.backlogs.add_others(waiting.done(attached));
        Ok(match waiting.has_more() {
            true => Left::More,
            false => Left::Nothing,
        })
    }

    /// Those whose bodies need not come to turns yet.
    fn ahead(&self) -> Ahead {
        Ahead {
            tenants: self.leeway.ahead(),
            snapshot: self.directory.snapshot(),
        }
    }

    /// The bodies that were picked, in that order, as far as a batch may hold them; and those that do not wait any more.
    async fn bodies(
        &self,
        tx: &mut Tx,
        picked: &[Place],
    ) -> Result<(Vec<RawRow>, Vec<Place>), StorageError> {
        let ids: Vec<RawId> = picked.iter().map(|(id, _)| *id).collect();
        let most_bytes = i64::try_from(self.config.most_bytes).unwrap_or(i64::MAX);
        let found = raw::bodies_all_tenants(tx, &ids, most_bytes).await?;
        let mut found: HashMap<i64, SizedRow> =
            found.into_iter().map(|row| (row.id, row)).collect();
        let is_gone = |(id, _): &&Place| !found.contains_key(&id.raw());
        let gone = picked.iter().filter(is_gone).copied().collect();
        let mut bytes = 0;
        let taken: Vec<SizedRow> = ids
            .iter()
            .filter_map(|id| found.remove(&id.raw()))
            .take_while(|row| {
                let has_room = bytes < most_bytes;
                bytes += row.bytes;
                has_room
            })
            .collect();
        // Read by age: of those whose turn it is, the young may have found no room behind the large.
        let unread = taken.iter().filter(|row| row.body.is_none());
        let unread: Vec<RawId> = unread.map(|row| RawId::from_raw(row.id)).collect();
        let late = raw::bodies_all_tenants(tx, &unread, i64::MAX).await?;
        let mut late: HashMap<i64, SizedRow> = late.into_iter().map(|row| (row.id, row)).collect();
        let whole = |row: SizedRow| match row.body {
            Some(_) => row.read(),
            None => late.remove(&row.id)?.read(),
        };
        Ok((taken.into_iter().filter_map(whole).collect(), gone))
    }

    /// Setup at least as new as `version`, which was read after the bodies were. The node that received a body may have
    /// known a number that we have not heard of yet: read with older setup, what it holds would be nobody's.
    async fn setup_of(&self, version: i64) -> Result<Arc<Snapshot>, AttachError> {
        if self.directory.snapshot().version < version {
            self.directory.refresh().await.map_err(AttachError::Setup)?;
        }
        Ok(self.directory.snapshot())
    }

    pub(super) fn hand_on(&self, mut attached: Attached) {
        (self.received)(&attached.events);
        (self.sends)(attached.sends);
        attached.events.append(&mut attached.turns);
        if !attached.events.is_empty() && self.events.try_send(attached.events).is_err() {
            metrics::counter!(names::ATTACHED_LEFT).increment(1);
        }
    }
}
