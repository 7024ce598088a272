//! The turn: one message or occasion, everything it causes, and nothing committed yet. Read this first; the rest serves it.
//!
//! 1. What ingest found: a word about consent was answered already, "I want a person" is answered here.
//! 2. The tenant's plugins run, on guest threads, with no transaction open.
//! 3. Their effects become drafts, and changes of the conversation.
//! 4. If no plugin could answer because one failed, the tenant's fallback does.
//! 5. Policy decides on every draft. What it clears, the commit writes: all of it or nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::caused::Caused;
use super::drafts::{Drafts, keeps_timers};
use super::journal;
use super::memory::Memory;
use super::plugins::{Plugins, Unloaded};
use super::queue::{Took, Tries};
use super::reads;
use super::rollouts::Rollouts;
use super::told::{TurnSpans, Watchers};
use super::work;
use crate::directory::NumberEntry;
use crate::domain::attribute::Fields;
use crate::domain::id::made_at;
use crate::domain::{Clock, IdGenerator, InstallationId, Occasion, Timestamp, TurnId};
use crate::graph::webhook;
use crate::outcalls::{Outcalls, TurnPlace};
use crate::plugin_host::{
    About, CallOutcome, ContactKinds, ConversationView, Ending, KvEffects, MessageView,
    OccasionView, Overload, PluginBinding, Seeds, TurnReport, TurnRequest, Weight, message_token,
};
use crate::policy::ConsentState;
use crate::storage::conversations::Conversation;
use crate::storage::events::{PendingEvent, Subject, word};
use crate::storage::installations::Installation;
use crate::storage::outbox::NewSend;
use crate::storage::turns::TurnRow;
use crate::storage::{Db, raw};
use crate::telemetry::names;

/// What every turn works with.
pub(super) struct Turns {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdGenerator>,
    pub plugins: Arc<Plugins>,
    pub memory: Memory,
    pub seeds: Seeds,
    pub rollouts: Arc<Rollouts>,
    pub outcalls: Arc<Outcalls>,
    pub watchers: Watchers,
}

/// A message or occasion about to have its turn, with its conversation and consent as they stood a moment ago.
#[derive(Clone)]
pub(super) struct TurnInput {
    pub event: PendingEvent,
    pub entry: Arc<NumberEntry>,
    pub conversation: Conversation,
    pub consent: ConsentState,
    pub tries: Tries,
    pub weight: Weight,
}

/// A turn as its plugins meet it.
pub(super) struct Question<'a> {
    pub input: &'a TurnInput,
    turn: TurnId,
    now: Timestamp,
    about: Arc<About>,
    pub conversation: Arc<ConversationView>,
    spent: &'a Spent,
}

/// What a turn has taken so far.
#[derive(Debug, Default)]
pub(super) struct Spent {
    /// By its plugins, those on trial included.
    fuel: AtomicU64,
    /// In microseconds.
    waited: AtomicU64,
}

impl Spent {
    fn add(&self, report: &TurnReport) {
        self.fuel.fetch_add(cost(report), Ordering::Relaxed);
        let waited = report.calls.first().map_or(0, |call| call.start_us);
        self.waited.fetch_add(waited, Ordering::Relaxed);
    }

    fn into_took(self) -> Took {
        Took {
            fuel: self.fuel.into_inner(),
            waited: Duration::from_micros(self.waited.into_inner()),
        }
    }
}

/// Everything that a turn causes, ready to be committed.
pub(super) struct Finished {
    pub event: PendingEvent,
    /// The version that the commit must still find.
    pub seen_version: i64,
    /// The conversation after the turn.
    pub conversation: Conversation,
    pub owner_changes: Vec<crate::domain::OwnerChange>,
    /// For those who follow the tenant's events.
    pub told: Vec<crate::domain::StreamEvent>,
    pub sends: Vec<NewSend>,
    pub kv: Vec<(String, KvEffects)>,
    /// What the turn causes beside all of this.
    pub caused: Caused,
    /// The bot has it no more, or it is closed: its timers end.
    pub timers_end: bool,
    /// Whose effects these are: the commit checks that they still run under the same generation.
    pub ran: Vec<(InstallationId, i64)>,
    pub row: TurnRow,
}

/// How a run ended.
pub(super) enum Ran {
    Finished(Box<Finished>),
    /// Run it again, not before this.
    Later {
        after: Duration,
        why: Wait,
    },
}

/// Why a turn is run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// A plugin asked for it.
    Asked,
    /// The host had no room.
    Room,
    /// For a plugin that this node cannot run yet: perhaps for long.
    Plugin,
}

/// A plugin may ask for another try this often; then the message falls back. A guess: a store that is away for longer
/// than five tries is the plugin's to handle.
pub(super) const RETRIES: u32 = 5;
/// How long to wait when the plugin host is full.
const NO_ROOM: Duration = Duration::from_millis(5);
/// How long to wait for a component that is being compiled: some tenths of a second for a Rust plugin.
const NOT_COMPILED: Duration = Duration::from_millis(250);
/// How long to wait for what an installation goes on with after a stop, and how old what waits may be: 10,000 installations
/// go on within half a minute. After twice as long something is wrong with this one, and messages behind it wait. A guess.
const NOT_MOVED_ON: Duration = Duration::from_millis(250);
const MOVED_ON: Duration = Duration::from_secs(60);
/// How long events and receipts wait for a plugin that this node cannot load, from the first try on: what hardly passes is
/// tried three times by then (`plugins.rs`), or the bucket has gone to a node that can. Afterwards it is broken, and nothing
/// waits for it again until it was loaded once: what is behind an event in its conversation waits with it. A guess.
const LOADED_SOON: Duration = Duration::from_secs(60);
/// Between two looks meanwhile: many may wait, and each look reads what a turn reads.
const NOT_LOADED: Duration = Duration::from_secs(2);

impl Turns {
    /// Runs one turn, and says what it took. Calling it again with the same input is harmless: only a commit counts.
    pub(super) async fn run(&self, input: TurnInput) -> (Ran, Took) {
        let spent = Spent::default();
        let ran = self.attempt(input, &spent).await;
        (ran, spent.into_took())
    }

    async fn attempt(&self, input: TurnInput, spent: &Spent) -> Ran {
        let now = self.clock.now();
        let turn = TurnId::from_raw(self.ids.next(now));
        let mut spans = TurnSpans::begin(&self.watchers.traces, turn, now);
        let mut drafts = Drafts::new(self, &input, turn, now);
        match input.event.word {
            // An occasion has no word.
            word::CONSENT => drafts.outcome = "consent_word",
            word::HUMAN if input.conversation.owner.is_bot() => drafts.human_requested(),
            _ if input.entry.installations.is_empty() => drafts.no_plugin(),
            _ if awaits_successor(&input.event, &input.entry.installations, now) => {
                return Ran::Later {
                    after: NOT_MOVED_ON,
                    why: Wait::Plugin,
                };
            }
            _ => match self.perform(&input, turn, now, spent).await {
                Ok(performed) => {
                    if let Some(spans) = &mut spans {
                        spans.performed(&performed);
                    }
                    let report = performed.report;
                    count(&report);
                    if let Some(later) = later(&report, input.tries.retries) {
                        return later;
                    }
                    drafts.trials = performed.trials;
                    drafts.unloaded = performed.unloaded;
                    drafts.seen(
                        Arc::unwrap_or_clone(performed.conversation),
                        &performed.bindings,
                        &performed.parts,
                    );
                    drafts.apply(report, &performed.bindings, &performed.broken);
                }
                Err(error) => {
                    if let Some((after, why)) = pause(error) {
                        return Ran::Later { after, why };
                    }
                    tracing::error!(event = %input.event.id, %error, "the plugins were not asked");
                    drafts.fall_back();
                }
            },
        }
        if let Some(spans) = spans {
            spans.end(&self.watchers.traces, &input, drafts.outcome);
        }
        Ran::Finished(Box::new(drafts.finish(input)))
    }

    /// What this turn's plugins are asked, whoever and how often.
    pub(super) async fn question<'a>(
        &self,
        input: &'a TurnInput,
        turn: TurnId,
        now: Timestamp,
        spent: &'a Spent,
    ) -> Question<'a> {
        Question {
            spent,
            input,
            turn,
            now,
            about: Arc::new(self.about(&input.event).await),
            conversation: view(input).into(),
        }
    }

    /// Runs these plugins; in shadow, nothing leaves. Who they are, [`trial`](super::trial) says.
    pub(super) async fn ask_plugins(
        &self,
        question: &Question<'_>,
        plugins: Vec<PluginBinding>,
        shadow: bool,
    ) -> Result<TurnReport, Overload> {
        let Question {
            input, turn, now, ..
        } = *question;
        let names = plugins
            .iter()
            .map(|binding| (binding.installation, binding.plugin.name().to_owned()));
        let request = TurnRequest {
            turn,
            tenant: input.event.tenant,
            now,
            seed: self.seeds.of(input.event.id),
            about: question.about.clone(),
            conversation: question.conversation.clone(),
            kv: self.memory.of_turn(names.collect(), now),
            http: self.outcalls.of_turn(place(input)),
            shadow,
            reads: reads::of_turn(&self.db, input, now, &plugins),
            plugins,
            bot_owns: input.conversation.owner.is_bot(),
            contact_kinds: input.entry.tenant.contact_kinds.clone(),
            weight: input.weight,
        };
        let report = self.plugins.host().run_turn(request).await?;
        question.spent.add(&report);
        Ok(report)
    }

    async fn about(&self, event: &PendingEvent) -> About {
        match &event.subject {
            Subject::Message(message) => About::Message(Box::new(MessageView {
                id: event.id,
                message: (**message).clone(),
                sent_at: event.at,
                token: message_token(event.tenant, &event.wamid),
                raw: self.element(event).await,
            })),
            Subject::Occasion(occasion) => About::Occasion(OccasionView {
                occasion: occasion.clone(),
                at: event.at,
            }),
        }
    }

    /// The message as Meta sent it, without what tells who it is from.
    async fn element(&self, event: &PendingEvent) -> String {
        let element = match &event.element {
            Some(element) => Some(element.clone()),
            None => self.stored_element(event).await,
        };
        element.map_or_else(
            || "{}".to_owned(),
            |element| webhook::raw_without_personal_data(&element),
        )
    }

    async fn stored_element(&self, event: &PendingEvent) -> Option<String> {
        let mut tx = self.db.glance().await.ok()?;
        let body = raw::body_all_tenants(&mut tx, event.raw).await.ok()??;
        let items = webhook::read(&body).ok()?;
        let ordinal = usize::try_from(event.ordinal).ok()?;
        items.into_iter().nth(ordinal).map(|item| item.raw)
    }
}

/// Is this something that nobody answers for the plugins, while one of them has been stopped and what it goes on with is not
/// known yet? A message is answered by the tenant's fallback, and a timer is held (`Drafts::not_asked`).
fn awaits_successor(event: &PendingEvent, installed: &[Installation], now: Timestamp) -> bool {
    let is_theirs = match &event.subject {
        Subject::Message(_) | Subject::Occasion(Occasion::Timer { .. }) => false,
        Subject::Occasion(Occasion::Event { .. } | Occasion::Receipt { .. }) => true,
    };
    let mut installed = installed.iter();
    is_theirs
        // When it came here: its own time is its teller's.
        && now < made_at(event.id.raw()).plus(MOVED_ON)
        && installed.any(|one| one.awaits_successor && !one.paused)
}

/// Is this something that only plugins hear of, this one among them for all that is known of it? A message is answered by
/// the tenant's fallback, and a timer is held (`Drafts::not_asked`).
pub(super) fn is_for(event: &PendingEvent, unloaded: &Unloaded) -> bool {
    match &event.subject {
        Subject::Message(_) | Subject::Occasion(Occasion::Timer { .. }) => false,
        Subject::Occasion(Occasion::Event { .. }) => true,
        Subject::Occasion(Occasion::Receipt { .. }) => unloaded.hears_receipts,
    }
}

/// Does it wait for a plugin that this node cannot load, but could a moment ago, or may in a moment?
pub(super) fn awaits_load(event: &PendingEvent, unloaded: &[Unloaded], now: Timestamp) -> bool {
    let mut missed = unloaded.iter().filter(|plugin| is_for(event, plugin));
    missed.any(|plugin| now < plugin.since.plus(LOADED_SOON))
}

/// How long to wait with a turn that was not taken, and for what. `None`: waiting would not help.
fn pause(error: Overload) -> Option<(Duration, Wait)> {
    match error {
        Overload::Full | Overload::TenantShare | Overload::Components => {
            Some((NO_ROOM, Wait::Room))
        }
        Overload::NotCompiled => Some((NOT_COMPILED, Wait::Plugin)),
        Overload::NotLoaded => Some((NOT_LOADED, Wait::Plugin)),
        Overload::TooManyPlugins | Overload::Lost => None,
    }
}

/// Is the turn to be run again? Room that the host did not have is not what the plugin asked for, and does not count
/// against its tries.
fn later(report: &TurnReport, retries: u32) -> Option<Ran> {
    if report.ending != Ending::Retry {
        return None;
    }
    let asked = matches!(
        report.calls.last().map(|call| &call.outcome),
        Some(CallOutcome::Retry { .. })
    );
    let after = report.retry_after.unwrap_or(Duration::from_secs(1));
    let why = if asked { Wait::Asked } else { Wait::Room };
    (!asked || retries < RETRIES).then_some(Ran::Later { after, why })
}

fn place(input: &TurnInput) -> TurnPlace {
    TurnPlace {
        tenant: input.event.tenant,
        contact: input.conversation.contact,
        portfolio: input.entry.number.portfolio.clone(),
        event: input.event.id,
        conversation: input.event.conversation,
        seq: input.event.seq,
    }
}

/// The conversation as plugins see it.
fn view(input: &TurnInput) -> ConversationView {
    let conversation = &input.conversation;
    let said = matches!(input.event.subject, Subject::Message(_));
    ConversationView {
        id: conversation.id,
        contact: conversation.contact,
        display_name: (!conversation.display_name.is_empty())
            .then(|| conversation.display_name.clone()),
        language: conversation.language.clone(),
        attributes: conversation.attributes.clone(),
        tags: conversation.tags.clone(),
        is_new: said && (conversation.done_seq == 0 || conversation.closed_at.is_some()),
        contact_attributes: contact_attributes(
            &conversation.contact_attributes,
            &input.entry.tenant.contact_kinds,
        ),
    }
}

/// The contact's attributes, by what the tenant has defined. What is of another kind by now is left out.
fn contact_attributes(json: &str, kinds: &ContactKinds) -> Fields {
    let kept: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(json).unwrap_or_default();
    let known = kept.into_iter().filter_map(|(name, value)| {
        let value = kinds.get(&name)?.read(value)?;
        Some((name, value))
    });
    known.collect()
}

/// What a send may weigh in a commit: Meta's longest text, 4,096 characters of one byte.
const SEND_BYTES: usize = 4 << 10;

impl Finished {
    /// About how many bytes its commit writes.
    pub(super) fn weight(&self) -> usize {
        let memory = self.kv.iter().flat_map(|(_, effects)| &effects.writes);
        let memory: usize = memory.map(|(key, write)| key.len() + write.bytes()).sum();
        self.row.journal.len() + memory + self.sends.len() * SEND_BYTES + self.caused.weight()
    }

    /// May timers be set that this turn asks for?
    pub(super) fn keeps_timers(&self) -> bool {
        keeps_timers(&self.conversation)
    }

    /// The journal's row of a turn; called last, when all is known.
    pub(super) fn row(
        input: &TurnInput,
        turn: TurnId,
        now: Timestamp,
        outcome: &'static str,
        journal: journal::Journal<'_>,
    ) -> TurnRow {
        TurnRow {
            id: turn,
            tenant: input.event.tenant,
            number: input.event.number,
            conversation: input.event.conversation,
            event: input.event.id,
            outcome,
            journal: journal.into_json(),
            at: now,
        }
    }
}

fn count(report: &TurnReport) {
    for call in &report.calls {
        let outcome = match &call.outcome {
            CallOutcome::Ok => "ok",
            CallOutcome::Rejected(_) => "rejected",
            CallOutcome::Retry { .. } => "retry",
            CallOutcome::Fault(fault) => fault.kind.name(),
        };
        let hook = call.hook.name();
        metrics::counter!(names::PLUGIN_CALLS, "hook" => hook, "outcome" => outcome).increment(1);
        metrics::histogram!(names::PLUGIN_CALL_SECONDS).record(call.wall_us as f64 / 1e6);
    }
}

/// What the guests of a turn took, as fuel: instructions, and the memory of each plugin.
fn cost(report: &TurnReport) -> u64 {
    let fuel: u64 = report.calls.iter().map(|call| call.fuel).sum();
    let mut peaks = HashMap::<InstallationId, usize>::new();
    for call in &report.calls {
        let peak = peaks.entry(call.installation).or_default();
        *peak = call.memory_peak.max(*peak);
    }
    fuel.saturating_add(peaks.into_values().map(work::memory).sum())
}

#[cfg(test)]
mod tests;
