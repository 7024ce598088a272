//! The answer: a chain of steps, the stop if there was one, and what is so now. Its shape is stable: `docs/explain.md`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::{ContactId, ConversationId, NumberId, TenantId, Timestamp};

/// All that there is to tell of one message, or of one person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    pub about: About,
    pub asked_at: String,
    /// Where it stands: `waiting`, `done`, `queued`, `claimed`, `accepted`, `sent`, `delivered`, `read`, `played`, `unknown`,
    /// `refused`, `deferred`, `failed`, `cancelled`, `kept`; `state` for a person.
    pub outcome: String,
    /// The same in a sentence.
    pub summary: String,
    /// What happened, in its order.
    pub steps: Vec<Step>,
    /// The rules that stopped something on the way, in their order.
    pub stops: Vec<Stop>,
    /// How things stand between the person and the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<StateNow>,
    /// What retention took, so that it cannot be told any more.
    pub gone: Vec<String>,
}

/// What is explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct About {
    /// `event`, `send`, `person`.
    pub kind: String,
    /// `evt_…`, `out_…`, `con_…`.
    pub id: Option<String>,
    pub tenant: TenantId,
    pub number: Option<NumberId>,
    pub conversation: Option<ConversationId>,
    pub contact: Option<ContactId>,
    /// Phone number or user id, as far as the asker may see it.
    pub person: Option<String>,
    /// Meta's id, as far as the asker may see it.
    pub wamid: Option<String>,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    Done,
    Stopped,
    Waits,
    /// Nothing good or bad: something that is so.
    Note,
    /// Retention took it.
    Gone,
}

impl Mark {
    /// As people see it.
    pub fn sign(self) -> char {
        match self {
            Self::Done => '✓',
            Self::Stopped => '✗',
            Self::Waits => '…',
            Self::Note => '·',
            Self::Gone => '?',
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// `null`: it is not written down when.
    pub at: Option<String>,
    /// A stable word: `docs/explain.md` lists them.
    pub step: String,
    pub mark: Mark,
    /// For people.
    pub words: String,
    /// What it is about: `evt_…`, `trn_…`, `out_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub details: Map<String, Value>,
}

/// A rule that said no, or not yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stop {
    /// Which send it was, or would have been.
    pub id: Option<String>,
    pub at: Option<String>,
    /// `first` (before it entered the outbox), `claim` (before it left), `meta` (Meta refused it).
    pub gate: String,
    /// The rule: `hold`, `owner`, `consent`, `content`, `template`, `window`, `loop_brake`, `backlog`, `meta`.
    pub rule: String,
    /// A stable word: `docs/policy.md` lists them. For `meta`: Meta's code.
    pub reason: String,
    pub meta_code: i64,
    /// The reason in plain words.
    pub explanation: String,
    /// What the rule rests on.
    #[schema(value_type = Object)]
    pub evidence: Map<String, Value>,
    /// The evidence, for people.
    pub because: Vec<String>,
    /// What would have been let through instead.
    pub allowed: Option<String>,
    /// The next moment when this very message would be allowed, if it is known.
    pub from: Option<String>,
    /// What has to happen for it to be allowed.
    pub mended_by: String,
    /// What would be decided about it now.
    pub again: Option<Again>,
}

/// The decision as it would be now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Again {
    /// `cleared`, `refused`, `deferred`.
    pub decision: String,
    pub reason: Option<String>,
    pub from: Option<String>,
}

/// How things stand between a person and a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StateNow {
    /// Who has the conversation: `bot`, `queue`, `agent`, `external`, with a name.
    pub owner: String,
    pub owner_name: Option<String>,
    /// `open`, `closed`, `unknown`.
    pub window: String,
    pub window_until: Option<String>,
    pub last_message_at: Option<String>,
    /// Until when Meta charges nothing: a price, never a permission.
    pub free_until: Option<String>,
    /// What the person has stopped: `none`, `marketing`, `business_initiated`, `all_but_security`, `everything`.
    pub opt_out: String,
    pub opt_out_since: Option<String>,
    pub marketing_stopped_in_whatsapp_at: Option<String>,
    /// Holds in force that bear on the number.
    pub holds: Vec<String>,
    /// Messages of the customer that wait for their turn.
    pub waiting: i64,
    pub may_send: Vec<MaySend>,
}

/// May this kind of message be sent now?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MaySend {
    /// `bot_reply`, `reply`, `utility_template`, `marketing_template`, `authentication_template`.
    pub what: String,
    pub decision: String,
    pub reason: Option<String>,
    pub meta_code: Option<i64>,
    pub words: Option<String>,
    pub from: Option<String>,
    pub mended_by: Option<String>,
}

pub(super) fn at(at: Timestamp) -> Option<String> {
    Some(at.to_string())
}

impl Step {
    pub(super) fn new(
        when: Option<Timestamp>,
        step: &str,
        mark: Mark,
        words: impl Into<String>,
    ) -> Self {
        Self {
            at: when.and_then(at),
            step: step.to_owned(),
            mark,
            words: words.into(),
            id: None,
            details: Map::new(),
        }
    }

    pub(super) fn of(mut self, id: impl ToString) -> Self {
        self.id = Some(id.to_string());
        self
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

impl Explanation {
    pub(super) fn new(about: About, now: Timestamp) -> Self {
        Self {
            about,
            asked_at: now.to_string(),
            outcome: String::new(),
            summary: String::new(),
            steps: Vec::new(),
            stops: Vec::new(),
            now: None,
            gone: Vec::new(),
        }
    }

    pub(super) fn ends(&mut self, outcome: &str, summary: impl Into<String>) {
        self.outcome = outcome.to_owned();
        self.summary = summary.into();
    }

    /// A step, and something that is not there any more.
    pub(super) fn lacks(&mut self, step: &str, what: &str) {
        self.steps.push(Step::new(None, step, Mark::Gone, what));
        self.gone.push(what.to_owned());
    }
}
