//! What is kept of a turn: enough to say what happened, and to run it again.

use serde::Serialize;

use crate::domain::OutboxId;
use crate::plugin_host::TurnReport;

/// One draft's fate at the first gate.
#[derive(Debug, Serialize)]
pub(super) struct DecisionLine {
    pub send: OutboxId,
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deferred_until: Option<i64>,
}

/// The journal of one turn, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Journal<'a> {
    /// The event's kind of content; the content itself stands in the event.
    pub message: &'a str,
    pub owner: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<&'a TurnReport>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub not_runnable: &'a [String],
    pub decisions: &'a [DecisionLine],
}

impl Journal<'_> {
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a journal is JSON")
    }
}
