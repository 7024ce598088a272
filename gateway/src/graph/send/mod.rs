//! The body of a send, for everything we can send (facts §4), and the endpoint that it goes to.
//!
//! Writes JSON and judges nothing: lengths, counts and the window are policy's. The only thing of ours that travels is
//! the outbox id in `biz_opaque_callback_data`, by which a receipt settles its row (promise 5).

mod interactive;
mod template;
#[cfg(test)]
mod tests;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::domain::outbound::{
    Audio, Captioned, ContactCard, Document, MarketingMessages, Media, Place, ProductPolicy,
};
use crate::domain::{OutboundContent, OutboxId, Recipient};

use interactive::Interactive;
use template::Template;

const PRODUCT: &str = "whatsapp";

/// Where a send is POSTed, under `/{phone_number_id}/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    Messages,
    /// Marketing templates only (facts §4.6).
    MarketingMessages,
}

impl Endpoint {
    /// The one that the content asks for. Nothing is ever moved from one to the other on the quiet.
    pub fn of(content: &OutboundContent) -> Self {
        match content.template() {
            Some(template) if template.marketing_messages.is_some() => Self::MarketingMessages,
            _ => Self::Messages,
        }
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::MarketingMessages => "marketing_messages",
        }
    }
}

/// The request's JSON. `reply_to` is the wamid to quote; a reaction and mark-as-read name their message themselves.
pub fn body(
    recipient: &Recipient,
    content: &OutboundContent,
    reply_to: Option<&str>,
    opaque: OutboxId,
) -> String {
    let json = match content {
        OutboundContent::MarkRead { message_id, typing } => {
            serde_json::to_string(&mark_read(message_id, *typing))
        }
        content => serde_json::to_string(&Envelope {
            recipient,
            content,
            reply_to,
            opaque,
        }),
    };
    json.expect("structs of strings always serialise")
}

struct Envelope<'a> {
    recipient: &'a Recipient,
    content: &'a OutboundContent,
    reply_to: Option<&'a str>,
    opaque: OutboxId,
}

/// Key order is the docs'. The key behind `type` is always the type itself.
impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("messaging_product", PRODUCT)?;
        map.serialize_entry("recipient_type", "individual")?;
        match self.recipient {
            // Without the `+` Meta may take the number for a local one and prepend a country code (facts §4.1).
            Recipient::Phone(phone) => {
                map.serialize_entry("to", &format_args!("+{}", phone.digits()))?;
            }
            Recipient::Bsuid(bsuid) => map.serialize_entry("recipient", bsuid.as_str())?,
        }
        let quotes = !matches!(self.content, OutboundContent::Reaction { .. });
        if let Some(message_id) = self.reply_to.filter(|_| quotes) {
            map.serialize_entry("context", &Context { message_id })?;
        }
        let (kind, part) = part(self.content);
        map.serialize_entry("type", kind)?;
        map.serialize_entry(kind, &part)?;
        if let Some(marketing) = self.marketing() {
            map.serialize_entry("product_policy", policy(marketing.product_policy))?;
            if let Some(shared) = marketing.message_activity_sharing {
                map.serialize_entry("message_activity_sharing", &shared)?;
            }
        }
        map.serialize_entry("biz_opaque_callback_data", &self.opaque)?;
        map.end()
    }
}

impl Envelope<'_> {
    fn marketing(&self) -> Option<MarketingMessages> {
        self.content.template()?.marketing_messages
    }
}

fn policy(policy: ProductPolicy) -> &'static str {
    match policy {
        ProductPolicy::CloudApiFallback => "CLOUD_API_FALLBACK",
        ProductPolicy::Strict => "STRICT",
    }
}

#[derive(Serialize)]
struct Context<'a> {
    message_id: &'a str,
}

/// What stands under the name of the type. Where the domain spells a part as Meta does, it is written as it is.
#[derive(Serialize)]
#[serde(untagged)]
enum Part<'a> {
    Text(Text<'a>),
    Captioned(&'a Captioned),
    Audio(&'a Audio),
    Document(&'a Document),
    Media(&'a Media),
    Place(&'a Place),
    Contacts(&'a [ContactCard]),
    Reaction(Reaction<'a>),
    Interactive(Interactive<'a>),
    Template(Template<'a>),
}

#[derive(Serialize)]
struct Text<'a> {
    body: &'a str,
    preview_url: bool,
}

#[derive(Serialize)]
struct Reaction<'a> {
    message_id: &'a str,
    emoji: &'a str,
}

fn part(content: &OutboundContent) -> (&'static str, Part<'_>) {
    match content {
        OutboundContent::Text { body, preview_url } => {
            let preview_url = *preview_url;
            ("text", Part::Text(Text { body, preview_url }))
        }
        OutboundContent::Image(image) => ("image", Part::Captioned(image)),
        OutboundContent::Video(video) => ("video", Part::Captioned(video)),
        OutboundContent::Audio(audio) => ("audio", Part::Audio(audio)),
        OutboundContent::Document(document) => ("document", Part::Document(document)),
        OutboundContent::Sticker(sticker) => ("sticker", Part::Media(sticker)),
        OutboundContent::Location(place) => ("location", Part::Place(place)),
        OutboundContent::Contacts { contacts } => ("contacts", Part::Contacts(contacts)),
        OutboundContent::Reaction { message_id, emoji } => {
            ("reaction", Part::Reaction(Reaction { message_id, emoji }))
        }
        OutboundContent::Template(template) => ("template", Part::Template(Template::of(template))),
        interactive => (
            "interactive",
            Part::Interactive(Interactive::of(interactive)),
        ),
    }
}

#[derive(Serialize)]
struct MarkRead<'a> {
    messaging_product: &'static str,
    status: &'static str,
    message_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    typing_indicator: Option<TypingIndicator>,
}

#[derive(Serialize)]
struct TypingIndicator {
    r#type: &'static str,
}

fn mark_read(message_id: &str, typing: bool) -> MarkRead<'_> {
    MarkRead {
        messaging_product: PRODUCT,
        status: "read",
        message_id,
        typing_indicator: typing.then_some(TypingIndicator { r#type: "text" }),
    }
}
