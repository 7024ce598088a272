//! From effects to what will be committed: drafts that policy clears, a changed conversation, a journal.

mod effects;

use super::caused::Caused;
use super::journal::{DecisionLine, Journal, ReportLine};
use super::plugins::Unloaded;
use super::trial::TrialLine;
use super::turn::{Finished, TurnInput, Turns, is_for};
use crate::directory::facts::count_replies;
use crate::domain::{
    Draft, DraftClass, HANDED_BACK, InstallationId, Occasion, OutboundContent, OutboxId, Owner,
    OwnerChange, Sender, StreamEvent, StreamKind, Timestamp, TurnId,
};
use crate::plugin_host::{
    CallOutcome, ConversationView, Effect, Ending, KvEffects, PluginBinding, Route, Seen,
    SeenPlugin, TurnReport,
};
use crate::policy::{BacklogFact, Reason, rule};
use crate::storage::conversations::Conversation;
use crate::storage::events::Subject;
use crate::storage::installations::Installation;
use crate::storage::outbox::NewSend;
use crate::storage::plugin_health::Part;
use crate::storage::timers::{Timer, TimerKey};

/// A turn's result in the making.
pub(super) struct Drafts<'a> {
    turns: &'a Turns,
    input: TurnInput,
    turn: TurnId,
    now: Timestamp,
    conversation: Conversation,
    owner_changes: Vec<OwnerChange>,
    sends: Vec<NewSend>,
    decisions: Vec<DecisionLine>,
    report: Option<TurnReport>,
    /// What the plugins saw, for a replay.
    seen: Option<Seen>,
    /// The send that each effect of the report became, if it became one.
    sent: Vec<Option<OutboxId>>,
    broken: Vec<String>,
    kv: Vec<(String, KvEffects)>,
    caused: Caused,
    ran: Vec<(InstallationId, i64)>,
    /// Versions on trial beside them.
    pub trials: Vec<TrialLine>,
    /// Plugins that this node could not load.
    pub unloaded: Vec<Unloaded>,
    /// Stable word for the journal.
    pub outcome: &'static str,
}

impl<'a> Drafts<'a> {
    pub(super) fn new(turns: &'a Turns, input: &TurnInput, turn: TurnId, now: Timestamp) -> Self {
        Self {
            turns,
            input: input.clone(),
            turn,
            now,
            conversation: match input.event.subject {
                Subject::Message(_) => reached(&input.conversation),
                Subject::Occasion(_) => input.conversation.clone(),
            },
            owner_changes: Vec::new(),
            sends: Vec::new(),
            decisions: Vec::new(),
            report: None,
            seen: None,
            sent: Vec::new(),
            broken: Vec::new(),
            kv: Vec::new(),
            caused: Caused::default(),
            ran: Vec::new(),
            trials: Vec::new(),
            unloaded: Vec::new(),
            outcome: "silent",
        }
    }

    /// "I want a person": no plugin is asked (design.md §4, ownership).
    pub(super) fn human_requested(&mut self) {
        self.outcome = "human_requested";
        let queue = self.input.entry.tenant.settings.human_queue.clone();
        self.hand_to_queue(&queue, "word_for_human", "gateway", None, true);
    }

    /// Nothing is installed for the number.
    pub(super) fn no_plugin(&mut self) {
        self.outcome = match self.not_asked() {
            "not_the_bots" => "no_plugin",
            timers => timers,
        };
    }

    /// What the plugins want, and the fallback where they could not.
    pub(super) fn apply(
        &mut self,
        mut report: TurnReport,
        bindings: &[PluginBinding],
        broken: &[String],
    ) {
        self.broken = broken.to_vec();
        let hands_over = report
            .effects
            .iter()
            .any(|effect| matches!(effect.effect, Effect::HandOver { .. }));
        for effect in std::mem::take(&mut report.effects) {
            let before = self.sends.len();
            self.effect(&effect, hands_over);
            self.sent
                .push(Self::sent_by(&effect.effect, before, &self.sends));
            report.effects.push(effect);
        }
        for kv in &report.kv {
            if let Some(binding) = bindings
                .iter()
                .find(|binding| binding.installation == kv.installation)
            {
                self.kv.push((binding.plugin.name().to_owned(), kv.clone()));
            }
        }
        self.ran = self.generations(bindings);
        self.end(&report);
        self.report = Some(report);
    }

    /// Under which generations these ran. A number's own installation that comes into service in the place of one of them moves
    /// that one's.
    fn generations(&self, bindings: &[PluginBinding]) -> Vec<(InstallationId, i64)> {
        let ran = |row: &&Installation| {
            let mut bindings = bindings.iter();
            bindings.any(|binding| binding.installation == row.id)
        };
        let rows = self.input.entry.installations.iter().filter(ran);
        rows.map(|row| (row.id, row.generation)).collect()
    }

    /// Notes what these plugins saw.
    pub(super) fn seen(
        &mut self,
        conversation: ConversationView,
        bindings: &[PluginBinding],
        parts: &[Part],
    ) {
        let plugins = bindings.iter().zip(parts);
        let plugins = plugins.map(|(binding, part)| SeenPlugin {
            installation: part.installation,
            version: part.seq,
            setup: binding.setup.to_string(),
        });
        let bot = self.input.conversation.owner.is_bot();
        self.seen = Some(Seen::of(conversation, bot, plugins.collect()));
    }

    fn end(&mut self, report: &TurnReport) {
        let failed = |outcome: &CallOutcome| {
            matches!(outcome, CallOutcome::Fault(_) | CallOutcome::Rejected(_))
        };
        let faulty =
            !self.broken.is_empty() || report.calls.iter().any(|call| failed(&call.outcome));
        self.outcome = match report.ending {
            Ending::Answered => "answered",
            Ending::Routed => "routed",
            Ending::Silent => "silent",
            Ending::NotAsked => self.not_asked(),
            Ending::Noted if self.is_missed() => "not_told",
            Ending::Noted => "noted",
            // Nobody waits for an answer to an occasion.
            _ if self.is_occasion() => "failed",
            Ending::Unanswered if !faulty => "unanswered",
            Ending::Unanswered | Ending::Rejected | Ending::Retry => "fallback",
        };
        match &report.route {
            Some(Route::Queue(queue)) => {
                self.hand_to_queue(queue, "routing", "plugin", None, true);
            }
            Some(Route::Agent(agent)) => {
                let to = Owner::Agent(agent.clone());
                self.change_owner(to, "routing", "plugin", None);
                self.promise_a_person();
            }
            // Routed as it was asked for by an effect: nobody has told the customer, unless the queue was not served.
            None if report.ending == Ending::Routed && !self.conversation.owner.is_bot() => {
                self.promise_a_person();
            }
            Some(Route::Bot | Route::Silence) | None => {}
        }
        if self.outcome == "fallback" {
            self.fall_back();
        }
    }

    /// A timer whose plugin has come to rest since it was due, or cannot be loaded here, is set again: `occasions` holds it
    /// until the plugin runs. One whose plugin is gone, or was stopped and has nothing to go on with, ends.
    pub(super) fn not_asked(&mut self) -> &'static str {
        let timer = match &self.input.event.subject {
            Subject::Occasion(Occasion::Timer {
                plugin,
                name,
                set_at,
                due_at,
                fields,
            }) if self.input.conversation.owner.is_bot() => Timer {
                key: TimerKey {
                    conversation: self.input.event.conversation,
                    plugin: plugin.clone(),
                    name: name.clone(),
                },
                tenant: self.input.event.tenant,
                bucket: self.input.event.bucket,
                set_at: *set_at,
                due_at: *due_at,
                fields: fields.clone(),
            },
            _ => return "not_the_bots",
        };
        let plugin = &timer.key.plugin;
        let is_unloaded = self.unloaded.iter().any(|one| one.plugin == *plugin);
        if self.input.entry.rests(plugin).is_none() && !is_unloaded {
            return "timer_dropped";
        }
        self.caused.timer_again = Some(timer);
        "timer_held"
    }

    /// Is there a plugin that should have been told, and cannot be loaded here for longer than this waits?
    fn is_missed(&self) -> bool {
        let mut unloaded = self.unloaded.iter();
        unloaded.any(|plugin| is_for(&self.input.event, plugin))
    }

    fn is_occasion(&self) -> bool {
        matches!(self.input.event.subject, Subject::Occasion(_))
    }

    /// No plugin could answer: the tenant's own words do. To an occasion nobody waits for an answer.
    pub(super) fn fall_back(&mut self) {
        if self.is_occasion() {
            self.outcome = "failed";
            return;
        }
        self.outcome = "fallback";
        let text = self.input.entry.tenant.settings.fallback_text.clone();
        self.say(text, "fallback");
    }

    /// Gives the conversation to people; a queue that nobody serves gives it back at once and says so.
    fn hand_to_queue(
        &mut self,
        queue: &str,
        reason: &str,
        by: &str,
        note: Option<String>,
        tell: bool,
    ) {
        let settings = self.input.entry.tenant.settings.clone();
        self.change_owner(Owner::Queue(queue.to_owned()), reason, by, note);
        if settings.serves(queue) {
            if tell {
                self.promise_a_person();
            }
        } else {
            self.say(settings.unserved_text, "human_requested");
            self.change_owner(Owner::Bot, "queue_unserved", "gateway", None);
        }
    }

    fn promise_a_person(&mut self) {
        let text = self.input.entry.tenant.settings.human_text.clone();
        self.say(text, "human_requested");
    }

    fn change_owner(&mut self, to: Owner, reason: &str, by: &str, note: Option<String>) {
        let hand_back_at = self.input.entry.tenant.settings.hand_back_at(self.now);
        let from = self.conversation.give_to(to.clone(), hand_back_at);
        let (reason, by) = (reason.to_owned(), by.to_owned());
        self.owner_changes.push(OwnerChange {
            from,
            to,
            reason,
            by,
            note,
        });
    }

    fn say(&mut self, body: String, rule: &str) {
        if !body.is_empty() {
            let content = OutboundContent::Text {
                body,
                preview_url: false,
            };
            self.draft(
                content,
                Sender::Rule {
                    name: rule.to_owned(),
                },
            );
        }
    }

    fn draft(&mut self, content: OutboundContent, sender: Sender) {
        self.draft_as(content, sender, DraftClass::Reply, None);
    }

    fn draft_as(
        &mut self,
        mut content: OutboundContent,
        sender: Sender,
        class: DraftClass,
        reply_to: Option<String>,
    ) {
        let person = self.conversation.language.as_deref();
        self.input.entry.settle_language(&mut content, person);
        let event = &self.input.event;
        let Some(recipient) = self.conversation.recipient() else {
            tracing::warn!(conversation = %event.conversation, "nobody to send to: the contact has no address");
            return;
        };
        let draft = Draft {
            id: OutboxId::from_raw(self.turns.ids.next(self.now)),
            tenant: event.tenant,
            number: event.number,
            conversation: event.conversation,
            contact: event.contact,
            recipient,
            content,
            reply_to,
            class,
            sender,
            owner_version: self.conversation.owner_version,
            created_at: self.now,
        };
        self.decide(draft);
    }

    fn decide(&mut self, draft: Draft) {
        let entry = self.input.entry.clone();
        let facts = entry.facts(
            &self.conversation,
            self.input.consent,
            BacklogFact::default(),
            &draft.content,
            self.now,
        );
        let mut line = DecisionLine {
            send: draft.id,
            kind: draft.content.kind(),
            refused: None,
            deferred_until: None,
            ruling: None,
        };
        let counts = draft.is_automatic_answer();
        let mut push = |draft, waits: Option<(Timestamp, Reason)>| {
            let bucket = self.input.event.bucket;
            self.sends.push(NewSend {
                draft,
                bucket,
                turn: Some(self.turn),
                due_at: waits.map_or(self.now, |(until, _)| until),
                waits: waits.map(|(_, reason)| reason),
                // Known when the conversation is locked.
                prev: 0,
                claimed_at: None,
            });
            count_replies(&mut self.conversation, i64::from(counts), self.now);
        };
        match rule(&facts, &draft, self.now) {
            Ok((draft, waits)) => {
                line.deferred_until = waits.map(|(until, _)| until.millis());
                push(draft, waits);
            }
            Err(ruling) => {
                line.refused = Some(ruling.reason.clone());
                line.ruling = Some(ruling);
            }
        }
        self.decisions.push(line);
    }

    pub(super) fn finish(self, input: TurnInput) -> Finished {
        let mut conversation = self.conversation;
        conversation.version += 1;
        conversation.done_seq = input.event.seq;
        let journal = Journal {
            message: input.event.subject.word(),
            owner: owner_word(&conversation.owner),
            lost_races: input.tries.races,
            report: self
                .report
                .as_ref()
                .map(|report| ReportLine::of(report, &self.sent)),
            mark: self.report.as_ref().map(TurnReport::mark),
            seen: self.seen.as_ref(),
            not_runnable: &self.broken,
            decisions: &self.decisions,
            trials: &self.trials,
            cut: Vec::new(),
        };
        let timers_end = !keeps_timers(&conversation) && keeps_timers(&input.conversation);
        let row = Finished::row(&input, self.turn, self.now, self.outcome, journal);
        Finished {
            told: told(&input, &conversation, self.now),
            seen_version: input.conversation.version,
            event: input.event,
            conversation,
            owner_changes: self.owner_changes,
            sends: self.sends,
            kv: self.kv,
            caused: self.caused,
            timers_end,
            ran: self.ran,
            row,
        }
    }
}

/// The conversation as a message finds it: open and awake, and the bot knows what it was told of a hand-back.
fn reached(conversation: &Conversation) -> Conversation {
    let mut conversation = conversation.clone();
    conversation.closed_at = None;
    conversation.snoozed_until = None;
    conversation.attributes.remove(HANDED_BACK);
    conversation
}

/// What followers are told beside owners and sends.
fn told(input: &TurnInput, after: &Conversation, now: Timestamp) -> Vec<StreamEvent> {
    let before = &input.conversation;
    // An occasion wakes and opens nothing.
    let said = matches!(input.event.subject, Subject::Message(_));
    let happened = [
        (
            said && before.closed_at.is_some(),
            StreamKind::ConversationReopened,
            "customer",
        ),
        (
            said && before.snoozed_until.is_some(),
            StreamKind::ConversationWoke,
            "customer",
        ),
        (
            after.closed_at.is_some() && (said || before.closed_at.is_none()),
            StreamKind::ConversationClosed,
            "plugin",
        ),
    ];
    let told = happened.into_iter().filter(|(happened, ..)| *happened);
    told.map(|(_, kind, by)| StreamEvent::new(after.tenant, after.id, kind, now).noting(by))
        .collect()
}

/// Timers are the bot's, in conversations that it has and that are not closed.
pub(super) fn keeps_timers(conversation: &Conversation) -> bool {
    conversation.owner.is_bot() && conversation.closed_at.is_none()
}

fn owner_word(owner: &Owner) -> &'static str {
    match owner {
        Owner::Bot => "bot",
        Owner::Queue(_) => "queue",
        Owner::Agent(_) => "agent",
        Owner::External(_) => "external",
    }
}
