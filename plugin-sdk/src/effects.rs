//! The words of effects: buttons, lists, template parameters, and why the host refuses one.

use std::fmt;

use crate::Failure;

/// A reply button. Titles have at most 20 characters, ids 256; all differ within one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Button {
    /// Comes back as [`crate::Message::payload`].
    pub id: String,
    pub title: String,
}

impl Button {
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
        }
    }
}

/// A row of a list. Titles have at most 24 characters, descriptions 72.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Comes back as [`crate::Message::payload`].
    pub id: String,
    pub title: String,
    pub description: Option<String>,
}

impl Row {
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            description: None,
        }
    }
}

/// A section of a list. A title (at most 24 characters) is needed as soon as there are two sections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub title: String,
    pub rows: Vec<Row>,
}

/// A value for a template's placeholder: in order, or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateParameter {
    pub name: Option<String>,
    pub value: String,
}

/// Why the host took no effect. The turn goes on: answer otherwise, or let `?` make it a [`Failure::Fault`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectError {
    /// The argument breaks a rule of WhatsApp or of Vestibule; the text names the field.
    Invalid(String),
    /// The turn's limit of effects is used up.
    Quota(String),
    /// Not allowed in this hook (a reply in [`crate::Enrichment`], say).
    Denied(String),
}

impl fmt::Display for EffectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(what) => write!(f, "invalid effect: {what}"),
            Self::Quota(what) => write!(f, "too many effects: {what}"),
            Self::Denied(what) => write!(f, "effect denied: {what}"),
        }
    }
}

impl std::error::Error for EffectError {}

/// All three are mistakes of the plugin.
impl From<EffectError> for Failure {
    fn from(error: EffectError) -> Self {
        Failure::Fault(error.to_string())
    }
}
