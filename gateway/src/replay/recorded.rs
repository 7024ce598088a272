//! A turn out of the journal, complete: it crosses the admin socket and needs no database any more.

use serde::{Deserialize, Serialize};

use crate::domain::{
    ContactId, ConversationId, EventId, InboundMessage, InstallationId, Occasion, Timestamp, TurnId,
};
use crate::plugin_host::{CallOutcome, CallTrace, HostAnswers, Seen};

/// A turn of the journal, or why it cannot be replayed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    Whole(Box<Recorded>),
    Left {
        turn: TurnId,
        conversation: ConversationId,
        why: Left,
    },
}

/// Why a turn cannot be replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// Its person was erased from the journal.
    Erased,
    /// Its event is gone: retention took it.
    EventGone,
    /// The journal was too large to keep all that plugins were answered.
    Oversized,
    /// Written by a gateway that did not keep what plugins saw.
    OlderJournal,
    /// A plugin of it is not kept any more.
    PluginGone,
}

impl Left {
    pub fn word(self) -> &'static str {
        match self {
            Self::Erased => "erased",
            Self::EventGone => "event_gone",
            Self::Oversized => "oversized",
            Self::OlderJournal => "older_journal",
            Self::PluginGone => "plugin_gone",
        }
    }
}

/// All that went in, and what came out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recorded {
    pub turn: TurnId,
    pub conversation: ConversationId,
    pub contact: ContactId,
    pub event: EventId,
    /// The turn's time.
    pub at: Timestamp,
    pub sent_at: Timestamp,
    pub said: Said,
    pub seen: Seen,
    /// Hex.
    pub seed: String,
    pub host_answers: HostAnswers,
    pub calls: Vec<CallTrace>,
    /// [`TurnReport::mark`](crate::plugin_host::TurnReport::mark) of what was done.
    pub mark: String,
}

/// What the turn was about.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    Message {
        message: Box<InboundMessage>,
        /// In place of its wamid.
        token: String,
        /// As Meta sent it, without personal data; `{}` when the body is not kept any more.
        raw: String,
    },
    Occasion(Occasion),
}

impl Said {
    /// For those who read a difference.
    pub fn words(&self) -> String {
        match self {
            Self::Message { message, .. } => match message.content.words() {
                "" => format!("({})", message.content.word()),
                words => words.to_owned(),
            },
            Self::Occasion(occasion) => format!("({})", occasion.word()),
        }
    }
}

/// Fuel of an installation's calls.
pub(super) fn fuel(calls: &[CallTrace], of: InstallationId) -> u64 {
    calls
        .iter()
        .filter(|call| call.installation == of)
        .map(|call| call.fuel)
        .sum()
}

/// Did a call of the installation fault?
pub(super) fn faulted(calls: &[CallTrace], of: InstallationId) -> bool {
    let is_fault = |call: &&CallTrace| matches!(call.outcome, CallOutcome::Fault(_));
    let mut own = calls.iter().filter(|call| call.installation == of);
    own.any(|call| is_fault(&call))
}
