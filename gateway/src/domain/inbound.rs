//! What a customer can send us, and what else happens in a conversation without our doing.

mod parts;

use serde::{Deserialize, Serialize};

use super::contact::IdentityChange;
use super::open_word::OpenWord;

pub use parts::{
    Call, Context, Handover, MediaKind, OrderItem, Referral, ReferredProduct, SharedContact,
    SharedPhone,
};

/// The content of one inbound event (`whatsapp-cloud-api.md` §2.2). Stored as JSON with the event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
        kind: OpenWord<MediaKind>,
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
    Location {
        latitude: f64,
        longitude: f64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    /// Address-book cards. `requested`: the answer to a request for contact information (§2.3).
    Contacts {
        contacts: Vec<SharedContact>,
        #[serde(default)]
        requested: bool,
    },
    /// The answer of a flow, an address form or another form of WhatsApp's. `response` is the form's own JSON text.
    FlowReply {
        name: String,
        body: String,
        response: String,
    },
    /// Whether the business may call the person.
    CallPermission {
        accepted: bool,
        permanent: bool,
        /// Unix seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<i64>,
        /// Nobody tapped: it follows from the person's settings.
        automatic: bool,
    },
    Order {
        catalog_id: String,
        text: String,
        items: Vec<OrderItem>,
    },
    /// A chat was opened for the first time, nothing said yet.
    RequestWelcome,
    /// Something that WhatsApp does not hand to businesses: a poll, a view-once picture, another business's message.
    Unsupported {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<i64>,
    },
    /// A message was changed by its author. `content` is all of the new one.
    Edit {
        /// The wamid of the message that was changed.
        original: String,
        content: Box<InboundContent>,
    },
    /// A message was deleted for everyone by its author.
    Revoke {
        original: String,
    },
    /// Meta speaks of the person: another number, another user id.
    System {
        kind: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change: Option<IdentityChange>,
    },
    /// A call between the person and the business.
    Call(Call),
    /// Another app took the conversation over, or gave it back.
    Handover(Handover),
    /// Any other type: kept as it came, counted, and no turn acts on it but the plugins that look at `raw`.
    Other {
        kind: String,
    },
}

/// What is stored of an inbound event: its content, and what it answers and came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InboundMessage {
    #[serde(flatten)]
    pub content: InboundContent,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<Referral>,
    /// By which way it came, when it was not the person who wrote to us just now.
    #[serde(default, skip_serializing_if = "Source::is_customer")]
    pub source: Source,
}

/// By which way something came into a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The person wrote to us.
    #[default]
    Customer,
    /// The person wrote, and another app of the business has the conversation: a copy for us (§1.5 `standby`).
    Standby,
    /// A human of the business wrote, in the WhatsApp Business app (§1.5 `smb_message_echoes`).
    Echo,
    /// A call, a handover: something that happened, and nobody wrote it.
    Notice,
}

impl Source {
    fn is_customer(&self) -> bool {
        *self == Self::Customer
    }
}

impl InboundMessage {
    /// Does it get a turn of the bot's?
    ///
    /// An edit and a revoke do not: the bot has answered the original, or is about to, and a second answer to a
    /// corrected word surprises everybody; whoever shows the conversation finds them beside what they speak of. Nor
    /// does what Meta says of the person, since they have said nothing.
    pub fn starts_turn(&self) -> bool {
        use InboundContent as C;
        self.source == Source::Customer
            && !matches!(
                self.content,
                C::Edit { .. } | C::Revoke { .. } | C::System { .. }
            )
    }

    /// Does it open or refresh the 24-hour window (§6.1)? Copies, echoes and handovers never do.
    pub fn opens_window(&self) -> bool {
        match (&self.content, self.source) {
            (content, Source::Customer) => content.opens_window(),
            (InboundContent::Call(call), Source::Notice) => call.opens_window(),
            _ => false,
        }
    }

    /// Does a human of the business speak here, who so takes the conversation over?
    pub fn takes_over(&self) -> bool {
        use InboundContent as C;
        self.source == Source::Echo
            && !matches!(
                self.content,
                C::Edit { .. } | C::Revoke { .. } | C::System { .. } | C::Reaction { .. }
            )
    }
}

impl From<InboundContent> for InboundMessage {
    fn from(content: InboundContent) -> Self {
        Self {
            content,
            context: None,
            referral: None,
            source: Source::Customer,
        }
    }
}

impl InboundContent {
    /// The words of the message: what opt-out matching and plugins read.
    pub fn words(&self) -> &str {
        match self {
            Self::Text { body } => body,
            Self::ButtonReply { title, .. } | Self::ListReply { title, .. } => title,
            Self::TemplateButton { text, .. } | Self::Order { text, .. } => text,
            Self::Media { caption, .. } => caption.as_deref().unwrap_or(""),
            Self::Edit { content, .. } => content.words(),
            _ => "",
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
    /// (`whatsapp-cloud-api.md` §2.7, marked unverified there: Meta decides), nor are edits, revokes and notices.
    pub fn opens_window(&self) -> bool {
        match self {
            Self::Reaction { .. }
            | Self::Edit { .. }
            | Self::Revoke { .. }
            | Self::System { .. }
            | Self::Call(_)
            | Self::Handover(_) => false,
            // Such a notice whose object was odd is still no message.
            Self::Other { kind } => !matches!(kind.as_str(), "system" | "revoke" | "edit"),
            _ => true,
        }
    }

    /// Of a type that came after this version of the gateway?
    pub fn is_untyped(&self) -> bool {
        match self {
            Self::Other { .. } => true,
            Self::Media { kind, .. } => kind.known().is_none(),
            _ => false,
        }
    }

    /// Stable word for logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::ButtonReply { .. } => "button_reply",
            Self::ListReply { .. } => "list_reply",
            Self::TemplateButton { .. } => "template_button",
            Self::Reaction { .. } => "reaction",
            // A word of Meta's that nobody knows is no stable one.
            Self::Media { kind, .. } => kind.known().map_or("other", |kind| kind.word()),
            Self::Location { .. } => "location",
            Self::Contacts { .. } => "contacts",
            Self::FlowReply { .. } => "flow_reply",
            Self::CallPermission { .. } => "call_permission",
            Self::Order { .. } => "order",
            Self::RequestWelcome => "request_welcome",
            Self::Unsupported { .. } => "unsupported",
            Self::Edit { .. } => "edit",
            Self::Revoke { .. } => "revoke",
            Self::System { .. } => "system",
            Self::Call(_) => "call",
            Self::Handover(_) => "handover",
            Self::Other { .. } => "other",
        }
    }
}

#[cfg(test)]
mod tests;
