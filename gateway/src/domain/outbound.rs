//! What we can send, as far as it is typed. Lengths and counts are policy's to check, JSON is graph's to write.

use serde::{Deserialize, Serialize};

/// The content of one send (`whatsapp-cloud-api.md` §4). Stored as JSON with the outbox row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OutboundContent {
    Text {
        body: String,
        #[serde(default)]
        preview_url: bool,
    },
    Buttons {
        body: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        footer: Option<String>,
        buttons: Vec<ReplyButton>,
    },
    List {
        body: String,
        button: String,
        sections: Vec<ListSection>,
    },
    Template {
        name: String,
        language: String,
        #[serde(default)]
        parameters: Vec<TemplateParameter>,
    },
    /// An emoji on the customer's message; empty removes it.
    Reaction { message_id: String, emoji: String },
    /// Blue ticks for this and all earlier messages, and "typing…" until the answer (or 25 s).
    MarkRead {
        message_id: String,
        #[serde(default)]
        typing: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyButton {
    pub id: String,
    pub title: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListSection {
    #[serde(default)]
    pub title: String,
    pub rows: Vec<ListRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRow {
    pub id: String,
    pub title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A body parameter: positional when it has no name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateParameter {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub value: String,
}

impl OutboundContent {
    /// A template may be sent outside the 24-hour window, everything else needs it open (§6.1).
    pub fn needs_open_window(&self) -> bool {
        !matches!(self, Self::Template { .. } | Self::MarkRead { .. })
    }

    /// Does Meta answer with a wamid and receipts? Mark-as-read answers `{"success":true}` only (§4.5).
    pub fn has_receipts(&self) -> bool {
        !matches!(self, Self::MarkRead { .. })
    }

    /// Stable word for logs, metrics and pages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Buttons { .. } => "buttons",
            Self::List { .. } => "list",
            Self::Template { .. } => "template",
            Self::Reaction { .. } => "reaction",
            Self::MarkRead { .. } => "mark_read",
        }
    }
}
