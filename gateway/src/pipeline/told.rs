//! What a turn tells whoever watches the node: a trace of it, and counts of its plugins. No decision depends on it.

use std::sync::Arc;
use std::time::Instant;

use super::trial::Performed;
use super::turn::TurnInput;
use crate::domain::{Timestamp, TurnId};
use crate::plugin_host::{CallOutcome, CallTrace, PluginBinding};
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

    /// The calls of its plugins. They are laid out one after the other, as they ran; what was between them is not known.
    pub(super) fn performed(&mut self, performed: &Performed) {
        let trace = trace_of(self.turn);
        let mut at = self.start;
        for (n, call) in (1..).zip(&performed.report.calls) {
            let end = at.saturating_add(call.wall_us.saturating_mul(1_000));
            let mut bindings = performed.bindings.iter();
            let binding = bindings.find(|binding| binding.installation == call.installation);
            self.calls.push(Span {
                name: "plugin call",
                trace,
                id: span_of(&trace, n),
                parent: Some(span_of(&trace, 0)),
                start: at,
                end,
                attributes: about_call(call, binding),
                error: fault(call),
            });
            at = end;
        }
    }

    /// It is over, but for its commit.
    pub(super) fn end(self, traces: &Traces, input: &TurnInput, outcome: &'static str) {
        let elapsed = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let trace = trace_of(self.turn);
        let text = |value: String| Attribute::Text(value);
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

fn about_call(call: &CallTrace, binding: Option<&PluginBinding>) -> Vec<(&'static str, Attribute)> {
    let number = |value: u64| Attribute::Number(i64::try_from(value).unwrap_or(i64::MAX));
    let mut attributes = vec![
        (
            "vestibule.installation",
            Attribute::Text(call.installation.to_string()),
        ),
        (
            "vestibule.hook",
            Attribute::Text(call.hook.name().to_owned()),
        ),
        ("vestibule.fuel", number(call.fuel)),
        ("vestibule.host_calls", number(call.host_calls.into())),
        ("vestibule.memory_peak", number(call.memory_peak as u64)),
    ];
    if let Some(binding) = binding {
        let (name, version) = (binding.plugin.name(), binding.plugin.version());
        attributes.push(("vestibule.plugin", Attribute::Text(name.to_owned())));
        attributes.push(("vestibule.version", Attribute::Text(version.to_owned())));
    }
    attributes
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
