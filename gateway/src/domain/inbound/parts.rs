//! Parts of inbound content: plain records, as far as somebody acts on them or may want to see them.

use serde::{Deserialize, Serialize};

use crate::domain::OpenWord;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    Image,
    Video,
    Audio,
    Document,
    Sticker,
}

impl MediaKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Sticker => "sticker",
        }
    }
}

impl OpenWord<MediaKind> {
    pub fn word(&self) -> &str {
        match self {
            Self::Known(kind) => kind.word(),
            Self::Other(word) => word,
        }
    }
}

/// What a message answers or passes on (`whatsapp-cloud-api.md` §2.4).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Context {
    /// The wamid of the message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forwarded: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frequently_forwarded: bool,
    /// The product from whose page it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<ReferredProduct>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferredProduct {
    pub catalog_id: String,
    pub retailer_id: String,
}

/// The advertisement or post that a conversation came from (`whatsapp-cloud-api.md` §2.5). It may make messages free
/// for 72 hours (§6.2); it never permits one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Referral {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What the Conversions API wants back; absent for ads in WhatsApp Status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctwa_clid: Option<String>,
    /// What the ad had the business say first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub welcome_message: Option<String>,
}

/// A card of an address book.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SharedContact {
    pub name: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<SharedPhone>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
}

/// A phone on a card. Whose it is, nobody has checked: it never becomes an identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedPhone {
    pub phone: String,
    /// Set when the phone is on WhatsApp.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wa_id: Option<String>,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderItem {
    pub retailer_id: String,
    pub quantity: i64,
    /// Meta's decimal number as text: money is never a float.
    pub price: String,
    pub currency: String,
}

/// What became of a call (`whatsapp-cloud-api.md` §1.5 `calls`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Meta's `wacid`.
    pub id: String,
    /// `connect`, `terminate`, … or, for a call's status, `ringing`, `accepted`, `rejected`.
    pub event: String,
    /// The person calls; `None`: Meta did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_customer: Option<bool>,
    /// `COMPLETED` or `FAILED`, at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
}

impl Call {
    /// A call of the person's opens the window, answered or not, and so does a call of ours that they take (§6.1).
    pub(super) fn opens_window(&self) -> bool {
        match self.event.as_str() {
            "connect" => self.by_customer == Some(true),
            // Only the person can take a call of ours, and only such calls have this status.
            "accepted" => true,
            _ => false,
        }
    }
}

/// Who has the conversation among the business's apps (`whatsapp-cloud-api.md` §1.5 `messaging_handovers`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// Another app took it; else it was passed to us.
    pub taken: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_role: Option<String>,
    /// What the other app says of it, or its summary of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
