//! What a turn's plugins did, complete: effects, faults, costs and log. Plain data for the pipeline and the journal.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::domain::{InstallationId, TurnId};

use super::effect::Effect;
use super::fault::Fault;
use super::hook::Hook;
use super::kv::{HostAnswers, KvEffects};

/// The answer to one [`TurnRequest`](super::TurnRequest). Nothing of it has been applied anywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnReport {
    pub turn: TurnId,
    pub ending: Ending,
    /// Effects of hooks that returned ok, in the order they were asked for. Empty when the ending is `Retry`.
    pub effects: Vec<AttributedEffect>,
    /// What routing decided; none when nobody had an opinion or was asked.
    pub route: Option<Route>,
    /// Per installation that used `kv`. Empty writes when the ending is `Retry`.
    pub kv: Vec<KvEffects>,
    /// One per call of a hook, in order.
    pub calls: Vec<CallTrace>,
    pub logs: Vec<LogLine>,
    /// With ending `Retry`: run the turn again, not before this long.
    pub retry_after: Option<Duration>,
    /// Answers of the host that a replay needs.
    pub host_answers: HostAnswers,
    /// The marks of all requests by the grant `http`, also of those that the journal has no room for.
    pub requests: Vec<(InstallationId, String)>,
    /// When the host was asked, by this process's clock: what [`CallTrace::start_us`] counts from.
    pub asked: Option<Instant>,
}

/// How the stages of a turn came to their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// A plugin replied, handed over or closed.
    Answered,
    /// The bot has the conversation and no plugin answered: the tenant's fallback is due.
    Unanswered,
    /// Routing gave the conversation to people.
    Routed,
    /// Routing says that nothing is to be said.
    Silent,
    /// An occasion was told, and nobody answered it: nobody waits for an answer.
    Noted,
    /// The bot does not own the conversation: it was enriched at most.
    NotAsked,
    /// A plugin rejects the message for good: the fallback is due, no other plugin was asked.
    Rejected,
    /// The turn must run again: a plugin asked for it, or the host had no room.
    Retry,
}

/// An effect and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributedEffect {
    pub installation: InstallationId,
    pub plugin: String,
    pub version: String,
    pub effect: Effect,
}

/// What a routing hook decided. `pass` is no route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    Bot,
    Queue(String),
    Agent(String),
    Silence,
}

/// One call of one hook and what it cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallTrace {
    pub installation: InstallationId,
    pub hook: Hook,
    pub outcome: CallOutcome,
    /// Units used by this call; the first call of an installation pays for the instantiation too.
    pub fuel: u64,
    /// Units that the installation had for the whole turn, by the operator and its manifest. 0: of a journal before it was kept.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fuel_limit: u64,
    /// Microseconds from the moment the host was asked to the start of this call. This and the next two are the only numbers
    /// of a report that a replay does not repeat.
    #[serde(default)]
    pub start_us: u64,
    /// Wall time in microseconds, waiting included.
    pub wall_us: u64,
    /// Of it, waiting for answers to requests by the grant `http`, and while its thread slept so that others need not wait.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waited_us: u64,
    /// Most bytes of memories and tables the instance had so far.
    pub memory_peak: usize,
    pub host_calls: u32,
    pub log_lines: u32,
    /// Lines beyond the limit: lost.
    pub log_dropped: u32,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    Ok,
    Rejected(String),
    Retry { after_ms: u64 },
    Fault(Fault),
}

/// A line that a plugin wrote for its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub installation: InstallationId,
    pub hook: Hook,
    pub level: LogLevel,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

#[cfg(test)]
impl TurnReport {
    /// Of a turn in which nobody did anything.
    pub(crate) fn blank(ending: Ending) -> Self {
        Self {
            turn: TurnId::from_raw(1),
            ending,
            effects: Vec::new(),
            route: None,
            kv: Vec::new(),
            calls: Vec::new(),
            logs: Vec::new(),
            retry_after: None,
            host_answers: HostAnswers::default(),
            requests: Vec::new(),
            asked: None,
        }
    }
}

#[cfg(test)]
impl CallTrace {
    /// Of a reply that cost nothing.
    pub(crate) fn blank(installation: InstallationId, outcome: CallOutcome) -> Self {
        Self {
            installation,
            hook: Hook::AutoReply,
            outcome,
            fuel: 0,
            fuel_limit: 0,
            start_us: 0,
            wall_us: 0,
            waited_us: 0,
            memory_peak: 0,
            host_calls: 0,
            log_lines: 0,
            log_dropped: 0,
        }
    }
}
