//! What a customer can send us, as far as the gateway acts on it.

use serde::{Deserialize, Serialize};

/// The content of one inbound message (`whatsapp-cloud-api.md` §2.2). Stored as JSON with the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InboundContent {
    Text {
        body: String,
    },
    /// A tap on a reply button of an interactive message.
    ButtonReply {
        id: String,
        title: String,
    },
    /// A tap on a row of a list.
    ListReply {
        id: String,
        title: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
    /// A tap on a quick-reply button of a template.
    TemplateButton {
        payload: String,
        text: String,
    },
    /// An emoji on a message, or its removal (`emoji` absent or empty).
    Reaction {
        message_id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        emoji: Option<String>,
    },
    /// Media by reference: Meta's id lives 7 days, its URL 5 minutes.
    Media {
        kind: MediaKind,
        media_id: String,
        #[serde(default)]
        mime_type: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        caption: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
        #[serde(default)]
        voice: bool,
    },
    /// Any other type: kept as it came, counted, and no turn acts on it but the plugins that look at `raw`.
    Other {
        kind: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    Image,
    Video,
    Audio,
    Document,
    Sticker,
}

impl InboundContent {
    /// The words of the message: what opt-out matching and plugins read.
    pub fn words(&self) -> &str {
        match self {
            Self::Text { body } => body,
            Self::ButtonReply { title, .. } | Self::ListReply { title, .. } => title,
            Self::TemplateButton { text, .. } => text,
            Self::Media { caption, .. } => caption.as_deref().unwrap_or(""),
            Self::Reaction { .. } | Self::Other { .. } => "",
        }
    }

    /// What the business put behind the button or row that was tapped.
    pub fn payload(&self) -> Option<&str> {
        match self {
            Self::ButtonReply { id, .. } | Self::ListReply { id, .. } => Some(id),
            Self::TemplateButton { payload, .. } => Some(payload),
            _ => None,
        }
    }

    /// Does it open or refresh the 24-hour window? Any message of the user does; a reaction is not counted
    /// (`whatsapp-cloud-api.md` §2.7, marked unverified there: Meta decides), nor are system notices.
    pub fn opens_window(&self) -> bool {
        match self {
            Self::Reaction { .. } => false,
            Self::Other { kind } => !matches!(kind.as_str(), "system" | "revoke" | "edit"),
            _ => true,
        }
    }
}
