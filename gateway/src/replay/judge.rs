//! Would it have been the same? And if not: what was said, and what would be said, for people to read.

use serde::{Deserialize, Serialize};

use super::recorded::Left;
use crate::plugin_host::{CallOutcome, Effect, Ending, HttpRecord, KvWrite, Route, TurnReport};

/// What became of one recorded turn with the candidate in the installation's place.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Equal to the byte.
    Same(Cost),
    Different {
        cost: Cost,
        before: Done,
        after: Done,
    },
    /// The candidate asked its memory, or read of its turn, what was not asked then: nobody knows the answer.
    Unknown(Cost),
    /// What ran then does not do the same again, so nothing can be said. `setup`: it ran under other settings, grants,
    /// limits or another engine.
    NotReproduced {
        setup: bool,
        cost: Cost,
    },
    Left(Left),
}

/// Of the installation that the candidate stands for: before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub fuel: (u64, u64),
    pub faulted: (bool, bool),
}

/// What a turn's plugins asked for, one line each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Done(pub Vec<String>);

impl Done {
    pub fn of(report: &TurnReport) -> Self {
        let mut lines: Vec<String> = report
            .effects
            .iter()
            .map(|effect| effect_line(&effect.effect))
            .collect();
        lines.extend(report.route.as_ref().map(route_line));
        for kv in &report.kv {
            lines.extend(kv.writes.iter().map(|(key, write)| kv_line(key, write)));
        }
        lines.extend(report.host_answers.http.iter().map(request_line));
        lines.extend(report.calls.iter().filter_map(|call| match &call.outcome {
            CallOutcome::Ok => None,
            CallOutcome::Rejected(why) => Some(format!("rejects the message: {why}")),
            CallOutcome::Retry { after_ms } => {
                Some(format!("asks for another try after {after_ms} ms"))
            }
            CallOutcome::Fault(fault) => Some(format!("fault ({}): {fault}", fault.kind.name())),
        }));
        if report.ending == Ending::Unanswered {
            lines.push("gives no answer".to_owned());
        }
        Self(lines)
    }
}

fn effect_line(effect: &Effect) -> String {
    if let Effect::Reply { content, .. } = effect
        && content.kind() == "text"
    {
        return format!("says {:?}", content.words());
    }
    let json = serde_json::to_value(effect).unwrap_or_default();
    let mut json = json.as_object().cloned().unwrap_or_default();
    json.remove("effect");
    match json.is_empty() {
        true => effect.kind().to_owned(),
        false => format!("{} {}", effect.kind(), serde_json::Value::Object(json)),
    }
}

fn route_line(route: &Route) -> String {
    match route {
        Route::Bot => "routes to the bot".to_owned(),
        Route::Queue(queue) => format!("routes to the queue {queue:?}"),
        Route::Agent(agent) => format!("routes to the agent {agent:?}"),
        Route::Silence => "routes to silence".to_owned(),
    }
}

/// The mark tells apart what differs in headers or body alone.
fn request_line(record: &HttpRecord) -> String {
    let answer = match &record.answer {
        Ok(response) => response.status.to_string(),
        Err(refused) => format!("{refused:?}"),
    };
    format!("asks {} ({}): {answer}", record.asked, record.mark)
}

/// Characters of a remembered value that are shown.
const VALUE_CHARS: usize = 200;

fn kv_line(key: &str, write: &KvWrite) -> String {
    let text = |value: &[u8]| {
        let text = String::from_utf8_lossy(value);
        text.chars().take(VALUE_CHARS).collect::<String>()
    };
    match write {
        KvWrite::Set(value) => format!("remembers {key:?} = {:?}", text(value)),
        KvWrite::SetUntil(value, until) => {
            format!("remembers {key:?} = {:?} until {until}", text(value))
        }
        KvWrite::Delete => format!("forgets {key:?}"),
        KvWrite::Add(delta) => format!("adds {delta} to {key:?}"),
    }
}
