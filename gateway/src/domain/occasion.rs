//! Occasions: what gives a conversation a turn and is no message. A business event, a timer, a receipt.

use serde::{Deserialize, Serialize};

use super::attribute::Fields;
use super::id::OutboxId;
use super::open_word::OpenWord;
use super::receipt::ReceiptStatus;
use super::time::Timestamp;

/// What happened. Stored as JSON with its inbound event, where a message's content stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "occasion", rename_all = "snake_case")]
pub enum Occasion {
    /// The tenant's systems told of it.
    Event {
        /// Theirs.
        id: String,
        name: String,
        fields: Fields,
    },
    /// A plugin's timer is due.
    Timer {
        /// Whose it is: a plugin by its name, which versions share.
        plugin: String,
        name: String,
        set_at: Timestamp,
        due_at: Timestamp,
        fields: Fields,
    },
    /// Meta told what became of a send.
    Receipt {
        send: OutboxId,
        /// A newer gateway may know more of them.
        status: OpenWord<ReceiptStatus>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<i64>,
    },
}

impl Occasion {
    /// Stable word for logs, metrics and the journal.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Event { .. } => "event",
            Self::Timer { .. } => "timer",
            Self::Receipt { .. } => "receipt",
        }
    }
}

/// `payment.succeeded`: letters, digits, dots, dashes and underscores, at most 64. Names of business events, of plugins'
/// events and of metrics.
pub fn is_event_name(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(fine)
}
