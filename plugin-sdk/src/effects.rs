//! Everything a plugin can cause, and why the host refuses some of it.

use std::fmt;

use crate::content::{Content, Purpose};
use crate::{Failure, Field, Value};

/// An effect, as a turn asks for it. Tests look at them (`testing::Answer`).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    Say {
        content: Content,
        /// It quotes the customer's message.
        quote: bool,
        /// What it is for, where that was said.
        purpose: Option<Purpose>,
    },
    React(String),
    MarkRead {
        typing: bool,
    },
    SetLanguage(String),
    SetAttribute {
        key: String,
        value: Value,
    },
    RemoveAttribute(String),
    /// Of the contact; none takes it away.
    SetContactAttribute {
        key: String,
        value: Option<Value>,
    },
    AddTag(String),
    RemoveTag(String),
    /// For the people who work with the conversation.
    Note(String),
    Metric {
        name: String,
        value: f64,
    },
    /// Into the tenant's event stream.
    Emit {
        name: String,
        fields: Vec<Field>,
    },
    HandOver {
        to: Receiver,
        summary: Option<String>,
    },
    Close,
    SetTimer {
        name: String,
        due: Due,
        fields: Vec<Field>,
    },
    CancelTimer(String),
    OptOut(OptOut),
    OptIn {
        words: String,
    },
}

/// Who gets a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receiver {
    Queue(String),
    /// By name.
    Agent(String),
}

/// When a timer is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Unix milliseconds. What is past is due at once.
    At(u64),
    After(std::time::Duration),
}

/// What an opt-out stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptOut {
    /// Advertising.
    Marketing,
    /// Everything that the business begins.
    All,
}

/// Why the host took no effect. The turn goes on: answer otherwise, or let `?` make it a [`Failure::Fault`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectError {
    /// The argument breaks a rule of WhatsApp or of Vestibule; the text names the field.
    Invalid(String),
    /// A limit is used up; the text says which.
    Quota(String),
    /// Not allowed in this hook (a reply in [`crate::Enrichment`], say).
    Denied(String),
    /// For a reason that came after this version of the contract; the text says which.
    Other(String),
}

impl fmt::Display for EffectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(what) => write!(f, "invalid effect: {what}"),
            Self::Quota(what) => write!(f, "too many effects: {what}"),
            Self::Denied(what) => write!(f, "effect denied: {what}"),
            Self::Other(what) => write!(f, "effect not taken: {what}"),
        }
    }
}

impl std::error::Error for EffectError {}

/// All are mistakes of the plugin.
impl From<EffectError> for Failure {
    fn from(error: EffectError) -> Self {
        Failure::Fault(error.to_string())
    }
}
