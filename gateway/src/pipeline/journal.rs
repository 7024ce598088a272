//! What is kept of a turn: enough to say what happened, and to run it again.
//!
//! Nothing is kept twice: the message stands in its event, what was sent in the outbox, what a plugin remembers in its
//! memory (here its length and hash). Only what a plugin read of the conversation's past stands here again, as it was told:
//! its rows change. A journal is bounded; one that had to leave something out says what (`cut`).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::trial::TrialLine;
use crate::domain::{InstallationId, OutboxId};
use crate::plugin_host::{
    CallTrace, Effect, Ending, HostAnswers, KvEffects, KvWrite, LogLine, Route, Seen, TurnReport,
};
use crate::policy::Ruling;

/// Most bytes of one journal, with a little more for what is never cut. Above it go, in this order: versions on trial, the store's answers
/// (the turn cannot be replayed then), the plugins' log, effects, memory, what they saw. A guess: an ordinary turn's has half a kilobyte,
/// and the host's own bounds on answers and log fit one at a time.
const BYTES: usize = 128 << 10;

/// One draft's fate at the first gate.
#[derive(Debug, Serialize)]
pub(super) struct DecisionLine {
    pub send: OutboxId,
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deferred_until: Option<i64>,
    /// What a decision that was no "yes" rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ruling: Option<Box<Ruling>>,
}

/// The journal of one turn, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Journal<'a> {
    /// The event's kind of content; the content itself stands in the event.
    pub message: &'a str,
    pub owner: &'static str,
    /// How often the turn ran before and lost a race.
    #[serde(skip_serializing_if = "is_zero")]
    pub lost_races: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportLine<'a>>,
    /// Of all that the plugins asked for: a replay compares it ([`TurnReport::mark`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// What they saw beside the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<&'a Seen>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub not_runnable: &'a [String],
    #[serde(skip_serializing_if = "<[DecisionLine]>::is_empty")]
    pub decisions: &'a [DecisionLine],
    /// Versions on trial: what they wanted, and what became of it.
    #[serde(skip_serializing_if = "<[TrialLine]>::is_empty")]
    pub trials: &'a [TrialLine],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<&'static str>,
}

/// What the plugins did.
#[derive(Debug, Serialize)]
pub(super) struct ReportLine<'a> {
    ending: Ending,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    effects: Vec<EffectLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a Route>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kv: Vec<KvLine>,
    calls: &'a [CallTrace],
    #[serde(skip_serializing_if = "<[LogLine]>::is_empty")]
    logs: &'a [LogLine],
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_answers: Option<&'a HostAnswers>,
}

/// One effect: as the send that it became, or whole.
#[derive(Debug, Serialize)]
struct EffectLine<'a> {
    installation: InstallationId,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<OutboxId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<&'a Effect>,
}

/// What one plugin wrote to its memory. What it read stands in the host's answers.
#[derive(Debug, Serialize)]
struct KvLine {
    installation: InstallationId,
    writes: WriteLines,
}

/// Writes by their keys, values as length and hash.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct WriteLines(BTreeMap<String, WriteLine>);

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum WriteLine {
    Set { bytes: usize, sha256: String },
    Delete,
    Add(i64),
}

impl<'a> ReportLine<'a> {
    /// `sent`: what became of each effect of the report, in their order.
    pub(super) fn of(report: &'a TurnReport, sent: &[Option<OutboxId>]) -> Self {
        let effects = report.effects.iter().enumerate().map(|(index, effect)| {
            let sent = sent.get(index).copied().flatten();
            EffectLine {
                installation: effect.installation,
                sent,
                effect: sent.is_none().then_some(&effect.effect),
            }
        });
        let answers = &report.host_answers;
        Self {
            ending: report.ending,
            effects: effects.collect(),
            route: report.route.as_ref(),
            kv: report.kv.iter().filter_map(kv_line).collect(),
            calls: &report.calls,
            logs: &report.logs,
            retry_after: report.retry_after,
            host_answers: (*answers != HostAnswers::default()).then_some(answers),
        }
    }

    /// Leaves a part out; answers whether there was anything in it.
    fn cut(&mut self, part: &str) -> bool {
        match part {
            "host_answers" => self.host_answers.take().is_some(),
            "logs" => !std::mem::take(&mut self.logs).is_empty(),
            "effects" => !std::mem::take(&mut self.effects).is_empty(),
            _ => !std::mem::take(&mut self.kv).is_empty(),
        }
    }
}

fn kv_line(effects: &KvEffects) -> Option<KvLine> {
    let installation = effects.installation;
    WriteLines::of(effects).map(|writes| KvLine {
        installation,
        writes,
    })
}

impl WriteLines {
    /// None: nothing was written.
    pub(super) fn of(effects: &KvEffects) -> Option<Self> {
        let writes = effects.writes.iter().map(|(key, write)| {
            let line = match write {
                KvWrite::Set(value) | KvWrite::SetUntil(value, _) => WriteLine::Set {
                    bytes: value.len(),
                    sha256: hex::encode(Sha256::digest(value)),
                },
                KvWrite::Delete => WriteLine::Delete,
                KvWrite::Add(delta) => WriteLine::Add(*delta),
            };
            (key.clone(), line)
        });
        (!effects.writes.is_empty()).then(|| Self(writes.collect()))
    }
}

impl Journal<'_> {
    /// As JSON, within its bounds.
    pub(super) fn into_json(mut self) -> String {
        let mut json = self.json();
        if json.len() > BYTES && !self.trials.is_empty() {
            self.trials = &[];
            self.cut.push("trials");
            json = self.json();
        }
        for part in ["host_answers", "logs", "effects", "kv"] {
            if json.len() <= BYTES {
                break;
            }
            if self.report.as_mut().is_some_and(|report| report.cut(part)) {
                self.cut.push(part);
                json = self.json();
            }
        }
        if json.len() > BYTES && self.seen.take().is_some() {
            self.cut.push("seen");
            json = self.json();
        }
        json
    }

    fn json(&self) -> String {
        serde_json::to_string(self).expect("a journal is JSON")
    }
}

/// Adds what only the commit could find: `not_added`, additions to values that are no numbers; `timers_refused`,
/// `metrics_refused`.
pub(super) fn note_list(journal: &mut String, what: &str, keys: &[String]) {
    if keys.is_empty() {
        return;
    }
    let keys = serde_json::to_string(keys).expect("texts are JSON");
    // A journal is an object that is never empty.
    journal.truncate(journal.len() - 1);
    journal.push_str(&format!(",\"{what}\":{keys}}}"));
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

#[cfg(test)]
mod tests;
