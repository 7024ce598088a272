//! What a refusal rests on: the facts that its rule looked at, as plain data that outlives them.
//!
//! Taken from the very facts that were decided on, so that what is told later is what was so then. Holds no text and no
//! address of a person. Who put a hold, and which message closed a window, is looked up by `explain`.

use serde::{Deserialize, Serialize};

use super::decide::{Admission, Cleared, Decision, admit};
use super::facts::{ConsentBasis, Facts, TemplateFact};
use super::reason::Reason;
use super::window::WindowState;
use crate::domain::{Draft, DraftClass, HoldId, Owner, Sender, Timestamp};

/// The rules, by the words that clients and people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    Hold,
    Owner,
    Consent,
    Content,
    Template,
    Window,
    LoopBrake,
    Limit,
    Backlog,
}

impl Rule {
    pub fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Owner => "owner",
            Self::Consent => "consent",
            Self::Content => "content",
            Self::Template => "template",
            Self::Window => "window",
            Self::LoopBrake => "loop_brake",
            Self::Limit => "limit",
            Self::Backlog => "backlog",
        }
    }
}

impl Reason {
    /// The rule that gives this reason.
    pub fn rule(self) -> Rule {
        match self {
            Self::HoldAll
            | Self::HoldTenant
            | Self::HoldNumber
            | Self::HoldCredential
            | Self::HoldPlugin
            | Self::HoldTemplate
            | Self::HoldTemplates
            | Self::HoldReplies
            | Self::HoldMarketing => Rule::Hold,
            Self::OwnerNotBot | Self::OwnerChanged => Rule::Owner,
            Self::Blocked
            | Self::OptedOut
            | Self::OptedOutMarketing
            | Self::MetaMarketingStopped
            | Self::OptedOutUtility
            | Self::OptedOutTopic
            | Self::TopicUnknown
            | Self::NoOptIn
            | Self::RepliesStopped
            | Self::ConfirmationNotDue
            | Self::ConfirmationLate => Rule::Consent,
            Self::ContentEmpty
            | Self::ContentTooLong
            | Self::ContentCount
            | Self::ContentNotUnique
            | Self::ContentForm
            | Self::RecipientNeedsPhone
            | Self::RecipientNotServed => Rule::Content,
            Self::TemplateNotApproved
            | Self::TemplateLanguage
            | Self::TemplateInReview
            | Self::TemplateRejected
            | Self::TemplatePaused
            | Self::TemplateDisabled
            | Self::TemplateLocked
            | Self::TemplateDeleted
            | Self::TemplateParameterName
            | Self::TemplateHeader
            | Self::TemplateButton
            | Self::TemplateCards
            | Self::TemplateOffer
            | Self::TemplateParameterCount
            | Self::TemplateParameterEmpty
            | Self::TemplateParameterMix
            | Self::TemplateParameterText
            | Self::TemplateParameterTooLong
            | Self::OfferOver
            | Self::NotMarketing => Rule::Template,
            Self::WindowClosed => Rule::Window,
            Self::LoopBrake => Rule::LoopBrake,
            Self::HeldOff
            | Self::PersonCap
            | Self::MessagingLimit
            | Self::MonthlyCap
            | Self::QuietHours => Rule::Limit,
            Self::IngestBacklog => Rule::Backlog,
        }
    }

    /// What lets such a draft through where no moment does, in words: what somebody has to do, or has to happen.
    pub fn mended_by(self) -> &'static str {
        match self.rule() {
            Rule::Hold => "when the hold is lifted",
            Rule::Owner => "when the bot has the conversation again, in a new turn",
            Rule::Consent => match self {
                Self::Blocked => "when the business unblocks the person",
                Self::MetaMarketingStopped => "when the person resumes marketing in WhatsApp",
                Self::RepliesStopped => "when the person writes again, or START after STOPALL",
                Self::NoOptIn => "when an opt-in is on record",
                Self::OptedOutUtility | Self::OptedOutTopic => "when the person agrees again",
                Self::TopicUnknown => "at once, with a topic that the tenant has",
                Self::ConfirmationNotDue | Self::ConfirmationLate => "with the next opt-out",
                _ => "when the person writes START",
            },
            Rule::Content => match self {
                Self::RecipientNeedsPhone => "when the person is known by a phone number",
                Self::RecipientNotServed => "at once, in another form",
                _ => "at once, when the content is mended",
            },
            Rule::Template => match self {
                Self::TemplateNotApproved | Self::TemplateInReview | Self::TemplateRejected => {
                    "when Meta approves the template in this language"
                }
                Self::TemplatePaused | Self::TemplateLocked => "when Meta lets it be sent again",
                Self::TemplateDisabled | Self::TemplateDeleted => "never; with another template",
                Self::TemplateLanguage => "at once, in a language that it is approved in",
                Self::OfferOver => "with an offer that is not over",
                Self::NotMarketing => "at once, by the ordinary endpoint",
                _ => "at once, when the parameters are mended",
            },
            Rule::Window => "when the person writes again; an approved template at any time",
            Rule::LoopBrake => "when the counted hour is over; an agent's message at any time",
            Rule::Limit => match self {
                Self::HeldOff => "a day after Meta held marketing off from the person",
                Self::PersonCap => "when the person has had fewer messages",
                Self::MessagingLimit => "when a place among the people of 24 hours is free",
                Self::MonthlyCap => "with the next month, or a higher cap",
                _ => "when the person's quiet hours are over",
            },
            Rule::Backlog => "when the received messages are read, usually within seconds",
        }
    }
}

/// The facts behind a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Evidence {
    /// Of several, the one that lasts longest.
    Hold {
        /// None: it does not hold any more.
        hold: Option<HoldId>,
        until: Option<Timestamp>,
    },
    Owner {
        owner: Owner,
        owner_version: i64,
        /// The version that the draft was made under.
        drafted_under: i64,
    },
    Consent {
        /// A word of [`OptOut`](super::OptOut).
        opt_out: String,
        /// Of the latest word that stopped or lifted anything.
        since: Option<Timestamp>,
        replies_reopened_at: Option<Timestamp>,
        /// Marketing stopped in WhatsApp itself.
        meta_stopped_at: Option<Timestamp>,
        /// What the tenant relies on for what it begins.
        basis: ConsentBasis,
        /// Opt-ins on record.
        marketing_given_at: Option<Timestamp>,
        utility_given_at: Option<Timestamp>,
        /// Utility messages alone were withdrawn.
        utility_stopped_at: Option<Timestamp>,
        /// The business has the person on the number's block list.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blocked_at: Option<Timestamp>,
    },
    /// Nothing but the draft: what the rule wanted stands in the refusal.
    Content {
        content: String,
    },
    Template {
        name: String,
        language: String,
        /// `unknown` (not synchronised), `no_such`, or Meta's word.
        state: String,
        /// What Meta calls it, when it is known.
        category: Option<String>,
        parameters_wanted: Option<usize>,
        parameters_given: usize,
    },
    Window {
        /// `open`, `closed`, `unknown`.
        state: String,
        last_inbound_at: Option<Timestamp>,
        closed_by_meta_at: Option<Timestamp>,
        number_connected_at: Timestamp,
        ingest_gap_until: Option<Timestamp>,
    },
    LoopBrake {
        replies: i64,
        limit: i64,
    },
    /// What limits count for the person and the number.
    Limit {
        /// Messages of the last week that the business began to the person.
        sent_in_a_week: usize,
        held_off_at: Option<Timestamp>,
        /// People of the last 24 hours, and how many there may be.
        people: i64,
        people_most: Option<i64>,
        frees_at: Option<Timestamp>,
    },
    Backlog {
        oldest_unread_at: Option<Timestamp>,
    },
}

impl Evidence {
    /// Why these facts gave this reason for this draft.
    pub fn of(reason: Reason, facts: &Facts, draft: &Draft, now: Timestamp) -> Self {
        match reason.rule() {
            Rule::Hold => hold(facts, draft, now),
            Rule::Owner => Self::Owner {
                owner: facts.owner.clone(),
                owner_version: facts.owner_version,
                drafted_under: draft.owner_version,
            },
            Rule::Consent => Self::consent(facts),
            Rule::Content => Self::Content {
                content: draft.content.kind().to_owned(),
            },
            Rule::Template => template(facts, draft),
            Rule::Window => Self::window(facts, now),
            Rule::LoopBrake => Self::LoopBrake {
                replies: facts.brake.bot_replies_last_hour,
                limit: facts.brake.limit,
            },
            Rule::Limit => Self::Limit {
                sent_in_a_week: facts.limits.caps.sent.len(),
                held_off_at: facts.limits.caps.held_off_at,
                people: facts.limits.portfolio.people,
                people_most: facts.limits.portfolio.limit,
                frees_at: facts.limits.portfolio.frees_at,
            },
            Rule::Backlog => Self::Backlog {
                oldest_unread_at: facts.backlog.oldest_unsplit_raw_at,
            },
        }
    }

    fn consent(facts: &Facts) -> Self {
        let state = &facts.consent;
        Self::Consent {
            opt_out: state.opt_out.word().to_owned(),
            since: state.since,
            replies_reopened_at: state.replies_reopened_at,
            meta_stopped_at: state.meta_stopped_at,
            basis: facts.basis,
            marketing_given_at: state.marketing_given_at,
            utility_given_at: state.utility_given_at,
            utility_stopped_at: state.utility_stopped_at,
            blocked_at: facts.blocked_at,
        }
    }

    fn window(facts: &Facts, now: Timestamp) -> Self {
        let window = &facts.window;
        Self::Window {
            state: window.state(now).word().to_owned(),
            last_inbound_at: window.last_inbound_at,
            closed_by_meta_at: window.closed_by_meta_at,
            number_connected_at: window.number_connected_at,
            ingest_gap_until: window.ingest_gap_until,
        }
    }
}

/// A decision that was no "yes", as it is kept: in a turn's journal, and for messages that clients were refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// The code of a [`Reason`].
    pub reason: String,
    /// Refused for good; else put off until `from`.
    pub refused: bool,
    /// What would have been let through instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// When this very draft would have been let through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    pub class: DraftClass,
    /// The kind of its content.
    pub content: String,
    /// Name and language, when it was a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<(String, String)>,
    pub sender: Sender,
    pub evidence: Evidence,
}

/// A draft with its place in the outbox, and what it waits for there, if it does.
pub type Admitted = (Cleared<Draft>, Option<(Timestamp, Reason)>);

/// The first gate for who queues a draft ([`admit`]), with what a "no" rests on.
pub fn rule(facts: &Facts, draft: &Draft, now: Timestamp) -> Result<Admitted, Box<Ruling>> {
    match admit(facts, draft, now) {
        Admission::Admitted { draft, waits } => Ok((draft, waits)),
        Admission::Refused(refusal) => {
            let no = (true, refusal.allowed, refusal.from);
            Err(Box::new(Ruling::new(refusal.reason, no, facts, draft, now)))
        }
    }
}

impl Ruling {
    /// `None`: it was cleared. `facts` and `now` are those of the decision.
    pub fn of(decision: &Decision, facts: &Facts, draft: &Draft, now: Timestamp) -> Option<Self> {
        let (reason, no) = match decision {
            Decision::Cleared(_) => return None,
            Decision::Refused(refusal) => {
                let no = (true, refusal.allowed.clone(), refusal.from);
                (refusal.reason, no)
            }
            Decision::Deferred { until, reason } => (*reason, (false, None, Some(*until))),
        };
        Some(Self::new(reason, no, facts, draft, now))
    }

    fn new(
        reason: Reason,
        (refused, allowed, from): (bool, Option<String>, Option<Timestamp>),
        facts: &Facts,
        draft: &Draft,
        now: Timestamp,
    ) -> Self {
        let template = draft.content.template();
        Self {
            reason: reason.code().to_owned(),
            refused,
            allowed,
            from,
            class: draft.class,
            content: draft.content.kind().to_owned(),
            template: template.map(|template| (template.name.clone(), template.language.clone())),
            sender: draft.sender.clone(),
            evidence: Evidence::of(reason, facts, draft, now),
        }
    }
}

impl WindowState {
    /// Stable word for people and clients.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }
}

fn hold(facts: &Facts, draft: &Draft, now: Timestamp) -> Evidence {
    let hold = super::holds::longest(facts, draft, now);
    Evidence::Hold {
        hold: hold.map(|hold| hold.id),
        until: hold.and_then(|hold| hold.until),
    }
}

fn template(facts: &Facts, draft: &Draft) -> Evidence {
    let template = draft.content.template();
    let (state, category, wanted) = match &facts.template {
        TemplateFact::Known(known) => {
            let wanted = known.shape.as_ref().map(|shape| shape.body.len());
            (known.status.word(), Some(known.category.word()), wanted)
        }
        TemplateFact::NoSuch => ("no_such", None, None),
        TemplateFact::Unknown | TemplateFact::NotATemplate => ("unknown", None, None),
    };
    Evidence::Template {
        name: template.map(|t| t.name.clone()).unwrap_or_default(),
        language: template.map(|t| t.language.clone()).unwrap_or_default(),
        state: state.to_owned(),
        category: category.map(str::to_owned),
        parameters_wanted: wanted,
        parameters_given: template.map_or(0, |t| t.parameters.len()),
    }
}
