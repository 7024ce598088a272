//! What a turn tells whoever watches the node: a trace of it, and counts of its plugins. No decision depends on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::trial::{Performed, TrialLine};
use super::turn::TurnInput;
use crate::domain::{Timestamp, TurnId};
use crate::plugin_host::{CallOutcome, CallTrace};
use crate::telemetry::{Attribute, PluginMeters, Span, Traces, nanos, span_of, trace_of};

/// Where turns tell it.
#[derive(Debug, Clone)]
pub struct Watchers {
    pub traces: Traces,
    pub meters: Arc<PluginMeters>,
}

/// The spans of a turn under way; nothing, if it is not traced.
pub(super) struct TurnSpans {
    turn: TurnId,
    start: u64,
    began: Instant,
    calls: Vec<Span>,
}

impl TurnSpans {
    pub(super) fn begin(traces: &Traces, turn: TurnId, now: Timestamp) -> Option<Self> {
        traces.wants(turn).then(|| Self {
            turn,
            start: nanos(now),
            began: instant(),
            calls: Vec::new(),
        })
    }

    /// The calls of its plugins, when they were, and of versions on trial beside them.
    pub(super) fn performed(&mut self, performed: &Performed) {
        let report = &performed.report;
        for call in &report.calls {
            let mut bindings = performed.bindings.iter();
            let binding = bindings.find(|binding| binding.installation == call.installation);
            let plugin = binding.map(|one| (one.plugin.name(), one.plugin.version()));
            self.called(call, report.asked, about_plugin(plugin));
        }
        for trial in &performed.trials {
            self.tried(trial);
        }
    }

    pub(super) fn tried(&mut self, trial: &TrialLine) {
        for call in &trial.calls {
            let mut about = about_plugin(Some((&trial.plugin, &trial.version)));
            about.push(("vestibule.trial", text(trial.stage.to_string())));
            self.called(call, trial.asked, about);
        }
    }

    fn called(
        &mut self,
        call: &CallTrace,
        asked: Option<Instant>,
        mut plugin: Vec<(&'static str, Attribute)>,
    ) {
        let trace = trace_of(self.turn);
        let since = |asked: Instant| nanoseconds(asked.duration_since(self.began));
        let asked = asked.map_or(0, since);
        let (start, end) = during(call, self.start.saturating_add(asked));
        let mut attributes = about_call(call);
        attributes.append(&mut plugin);
        // The turn's own is the first of the trace.
        let n = u32::try_from(self.calls.len() + 1).unwrap_or(u32::MAX);
        self.calls.push(Span {
            name: "plugin call",
            trace,
            id: span_of(&trace, n),
            parent: Some(span_of(&trace, 0)),
            start,
            end,
            attributes,
            error: fault(call),
        });
    }

    #[cfg(test)]
    pub(super) fn calls(&self) -> &[Span] {
        &self.calls
    }

    /// It is over, but for its commit.
    pub(super) fn end(self, traces: &Traces, input: &TurnInput, outcome: &'static str) {
        let elapsed = nanoseconds(self.began.elapsed());
        let trace = trace_of(self.turn);
        traces.tell(Span {
            name: "turn",
            trace,
            id: span_of(&trace, 0),
            parent: None,
            start: self.start,
            end: self.start.saturating_add(elapsed),
            attributes: vec![
                ("vestibule.turn", text(self.turn.to_string())),
                ("vestibule.tenant", text(input.event.tenant.to_string())),
                ("vestibule.number", text(input.event.number.to_string())),
                (
                    "vestibule.conversation",
                    text(input.event.conversation.to_string()),
                ),
                ("vestibule.outcome", text(outcome.to_owned())),
            ],
            error: None,
        });
        self.calls.into_iter().for_each(|span| traces.tell(span));
    }
}

/// From when to when, if its host was asked at `asked`. Unix nanoseconds.
fn during(call: &CallTrace, asked: u64) -> (u64, u64) {
    let start = asked.saturating_add(call.start_us.saturating_mul(1_000));
    (
        start,
        start.saturating_add(call.wall_us.saturating_mul(1_000)),
    )
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn about_call(call: &CallTrace) -> Vec<(&'static str, Attribute)> {
    let number = |value: u64| Attribute::Number(i64::try_from(value).unwrap_or(i64::MAX));
    vec![
        (
            "vestibule.installation",
            text(call.installation.to_string()),
        ),
        ("vestibule.hook", text(call.hook.name().to_owned())),
        ("vestibule.fuel", number(call.fuel)),
        ("vestibule.host_calls", number(call.host_calls.into())),
        ("vestibule.memory_peak", number(call.memory_peak as u64)),
    ]
}

/// Its name and version.
fn about_plugin(plugin: Option<(&str, &str)>) -> Vec<(&'static str, Attribute)> {
    plugin.map_or_else(Vec::new, |(name, version)| {
        vec![
            ("vestibule.plugin", text(name.to_owned())),
            ("vestibule.version", text(version.to_owned())),
        ]
    })
}

fn text(value: String) -> Attribute {
    Attribute::Text(value)
}

/// The kind alone: a fault's message is the guest's.
fn fault(call: &CallTrace) -> Option<&'static str> {
    match &call.outcome {
        CallOutcome::Fault(fault) => Some(fault.kind.name()),
        _ => None,
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "how long a turn took is telemetry, no decision depends on it"
)]
fn instant() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::InstallationId;

    #[test]
    fn a_call_is_shown_when_it_was() {
        let blank = CallTrace::blank(InstallationId::from_raw(1), CallOutcome::Ok);
        let first = CallTrace {
            start_us: 40,
            wall_us: 10,
            ..blank.clone()
        };
        let second = CallTrace {
            start_us: 90,
            wall_us: 5,
            ..blank
        };
        assert_eq!(during(&first, 1_000_000), (1_040_000, 1_050_000));
        // What lay between them is no part of either.
        assert_eq!(during(&second, 1_000_000), (1_090_000, 1_095_000));
    }
}
