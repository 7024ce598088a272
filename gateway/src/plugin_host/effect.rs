//! Effects: what a plugin wants to happen, in the words of the domain, checked at the call.
//!
//! A reply is well formed by its type: the domain's builders made it (`abi`), by the limits that `policy` asks again.
//! Whether it may go out is decided later; what could never be sent or stored is refused at once, so that its author
//! learns. What each does to the view that later hooks have is in [`facts`], the rules of shape in [`check`].

mod check;
mod facts;

use serde::{Deserialize, Serialize};

use crate::domain::attribute::{AttributeValue, Fields, Finite};
use crate::domain::outbound::WellFormed;
use crate::domain::{DraftClass, Owner, Timestamp};

use super::hook::Hook;

pub(super) use check::{Asker, check_agent, check_queue};

/// Everything a plugin can cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Anything that can be sent.
    Reply {
        content: WellFormed,
        /// It quotes the turn's message.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        quote: bool,
        /// What it is for, where that is not what the hook's messages are for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        purpose: Option<DraftClass>,
    },
    /// An emoji on the turn's message; empty removes it. The pipeline knows the message's wamid.
    React {
        emoji: String,
    },
    MarkRead {
        typing: bool,
    },
    SetLanguage {
        language: String,
    },
    SetAttribute {
        key: String,
        value: AttributeValue,
    },
    RemoveAttribute {
        key: String,
    },
    /// Of the contact; none takes it away.
    SetContactAttribute {
        key: String,
        value: Option<AttributeValue>,
    },
    AddTag {
        tag: String,
    },
    RemoveTag {
        tag: String,
    },
    /// For the people who work with the conversation.
    Note {
        text: String,
    },
    Metric {
        name: String,
        value: Finite,
    },
    /// Into the tenant's event stream.
    Emit {
        name: String,
        fields: Fields,
    },
    /// Give the conversation to people.
    HandOver {
        to: Owner,
        note: Option<String>,
    },
    Close,
    SetTimer {
        name: String,
        due_at: Timestamp,
        fields: Fields,
    },
    CancelTimer {
        name: String,
    },
    /// The customer asked for it. `marketing`: advertising only; else everything that the business begins.
    OptOut {
        marketing: bool,
    },
    /// The customer asked to be written to again, in these words.
    OptIn {
        words: String,
    },
}

/// Why an effect was not taken. A value the guest sees, never a trap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectRefused {
    Invalid(String),
    Quota(String),
    Denied(String),
}

impl Effect {
    /// Content to be said, with nothing special about it.
    pub fn reply(content: WellFormed) -> Self {
        Self::Reply {
            content,
            quote: false,
            purpose: None,
        }
    }

    /// After such an effect no further plugin is asked to reply.
    pub fn answers(&self) -> bool {
        matches!(
            self,
            Self::Reply { .. } | Self::HandOver { .. } | Self::Close
        )
    }

    /// Facts may be set by every hook, whoever has the conversation; to speak and to act is for few.
    fn is_for_all(&self) -> bool {
        let tells = matches!(
            self,
            Self::Note { .. } | Self::Metric { .. } | Self::Emit { .. }
        );
        tells || self.is_fact()
    }

    /// Which hooks may ask for it. `routes`: routing may hand over, and answer that it did.
    fn allowed_in(&self, hook: Hook, routes: bool) -> bool {
        match self {
            Self::HandOver { .. } if hook == Hook::Routing => routes,
            Self::React { .. } | Self::MarkRead { .. } | Self::OptIn { .. } => {
                hook == Hook::AutoReply
            }
            Self::OptOut { .. } => hook.has_message(),
            _ => self.is_for_all() || hook.acts(),
        }
    }

    /// Stable word for logs, metrics and pages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Reply { content, .. } => content.kind(),
            Self::React { .. } => "react",
            Self::MarkRead { .. } => "mark_read",
            Self::SetLanguage { .. } => "set_language",
            Self::SetAttribute { .. } => "set_attribute",
            Self::RemoveAttribute { .. } => "remove_attribute",
            Self::SetContactAttribute { .. } => "set_contact_attribute",
            Self::AddTag { .. } => "add_tag",
            Self::RemoveTag { .. } => "remove_tag",
            Self::Note { .. } => "note",
            Self::Metric { .. } => "metric",
            Self::Emit { .. } => "emit",
            Self::HandOver { .. } => "hand_over",
            Self::Close => "close",
            Self::SetTimer { .. } => "set_timer",
            Self::CancelTimer { .. } => "cancel_timer",
            Self::OptOut { .. } => "opt_out",
            Self::OptIn { .. } => "opt_in",
        }
    }
}

#[cfg(test)]
mod tests;
