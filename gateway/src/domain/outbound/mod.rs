//! What can be sent: every type of `whatsapp-cloud-api.md` §4, as plain data.
//!
//! Its JSON is what the management API takes, what an outbox row keeps and what `docs/messages.md` shows: a field that
//! is not known is refused there, never dropped. Reading it back judges nothing, so that a row of any age can be read;
//! what WhatsApp takes is [`OutboundContent::check`]'s to say (`check/`), and [`WellFormed`] is content of which it was
//! said. `graph` writes Meta's JSON from it.

mod build;
mod card;
mod check;
mod commerce;
mod interactive;
mod malformed;
mod media;
mod place;
#[cfg(test)]
pub(crate) mod samples;
mod template;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use build::WellFormed;
pub use card::{
    CardAddress, CardEmail, CardName, CardOrganisation, CardPhone, CardUrl, ContactCard,
};
pub use commerce::{CatalogMessage, Product, ProductCarousel, ProductList, ProductSection};
pub use interactive::{
    AddressMessage, Carousel, CarouselCard, CtaUrl, Flow, FlowMode, FlowStart, Header, HeaderText,
    ListRow, ListSection, ReplyButton, SavedAddress, VoiceCall,
};
pub use malformed::{Fault, Malformed};
pub use media::{Audio, Captioned, Document, Media, MediaSource};
pub use place::{Latitude, Longitude, OffTheGlobe, Place};
pub use template::{
    AUTO, CardHeader, CardProduct, Currency, LimitedTimeOffer, MarketingMessages, ParameterFormat,
    ProductPolicy, TemplateButton, TemplateCard, TemplateContent, TemplateHeader,
    TemplateParameter, wishes_languages,
};

/// The content of one send (`whatsapp-cloud-api.md` §4). Stored as JSON with the outbox row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum OutboundContent {
    Text {
        body: String,
        #[serde(default)]
        preview_url: bool,
    },
    Image(Captioned),
    Video(Captioned),
    Audio(Audio),
    Document(Document),
    Sticker(Media),
    Location(Place),
    Contacts {
        contacts: Vec<ContactCard>,
    },
    /// An emoji on the customer's message; empty removes it.
    Reaction {
        message_id: String,
        emoji: String,
    },
    Buttons {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        header: Option<Box<Header>>,
        body: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        footer: Option<String>,
        buttons: Vec<ReplyButton>,
    },
    List {
        /// Text is the only header that a list takes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        header: Option<String>,
        body: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        footer: Option<String>,
        button: String,
        sections: Vec<ListSection>,
    },
    CtaUrl(Box<CtaUrl>),
    Flow(Box<Flow>),
    LocationRequestMessage {
        body: String,
    },
    AddressMessage(Box<AddressMessage>),
    /// Asks for the phone number of somebody who shows none (§2.3).
    RequestContactInfo {
        body: String,
    },
    VoiceCall(Box<VoiceCall>),
    CallPermissionRequest {
        body: String,
    },
    Product(Box<Product>),
    ProductList(Box<ProductList>),
    CatalogMessage(Box<CatalogMessage>),
    Carousel(Carousel),
    ProductCarousel(Box<ProductCarousel>),
    Template(Box<TemplateContent>),
    /// Blue ticks for this and all earlier messages, and "typing…" until the answer (or 25 s).
    MarkRead {
        message_id: String,
        #[serde(default)]
        typing: bool,
    },
}

/// The stable word of each variant, the same as its tag in JSON.
macro_rules! kinds {
    ($($variant:ident = $word:literal,)*) => {
        impl OutboundContent {
            /// Every kind of content there is.
            pub const KINDS: &[&str] = &[$($word),*];

            /// Stable word for logs, metrics and pages.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $word,)*
                }
            }
        }
    };
}

kinds! {
    Text = "text",
    Image = "image",
    Video = "video",
    Audio = "audio",
    Document = "document",
    Sticker = "sticker",
    Location = "location",
    Contacts = "contacts",
    Reaction = "reaction",
    Buttons = "buttons",
    List = "list",
    CtaUrl = "cta_url",
    Flow = "flow",
    LocationRequestMessage = "location_request_message",
    AddressMessage = "address_message",
    RequestContactInfo = "request_contact_info",
    VoiceCall = "voice_call",
    CallPermissionRequest = "call_permission_request",
    Product = "product",
    ProductList = "product_list",
    CatalogMessage = "catalog_message",
    Carousel = "carousel",
    ProductCarousel = "product_carousel",
    Template = "template",
    MarkRead = "mark_read",
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

    /// What the person reads of it first: its text, body or caption; empty when it has none of its own.
    pub fn words(&self) -> &str {
        match self {
            Self::Text { body, .. }
            | Self::Buttons { body, .. }
            | Self::List { body, .. }
            | Self::LocationRequestMessage { body }
            | Self::RequestContactInfo { body }
            | Self::CallPermissionRequest { body } => body,
            Self::Image(media) | Self::Video(media) => media.caption.as_deref().unwrap_or(""),
            Self::Document(document) => document.caption.as_deref().unwrap_or(""),
            Self::CtaUrl(button) => &button.body,
            Self::Flow(flow) => &flow.body,
            Self::AddressMessage(address) => &address.body,
            Self::VoiceCall(call) => &call.body,
            Self::Product(product) => product.body.as_deref().unwrap_or(""),
            Self::ProductList(list) => &list.body,
            Self::CatalogMessage(catalog) => &catalog.body,
            Self::Carousel(carousel) => &carousel.body,
            Self::ProductCarousel(carousel) => &carousel.body,
            Self::Reaction { emoji, .. } => emoji,
            Self::Location(place) => place.name.as_deref().unwrap_or(""),
            Self::Audio(_)
            | Self::Sticker(_)
            | Self::Contacts { .. }
            | Self::Template(_)
            | Self::MarkRead { .. } => "",
        }
    }

    /// The template that it is, if it is one.
    pub fn template(&self) -> Option<&TemplateContent> {
        match self {
            Self::Template(template) => Some(template),
            _ => None,
        }
    }
}
