//! Where the line 0.2 differs from later ones: what it says of what it has no case for, in the meaning that harms least.

use super::bindings::exports::vestibule::plugin::routing;
use super::bindings::vestibule::plugin::conversation::{Owner, Speaker};
use super::bindings::vestibule::plugin::http::HttpError;
use super::bindings::vestibule::plugin::inbound::MediaKind;
use super::bindings::vestibule::plugin::kv::KvError;
use super::bindings::vestibule::plugin::occasions::ReceiptStatus;
use super::bindings::vestibule::plugin::reads::ReadError;
use super::bindings::vestibule::plugin::refusal::EffectError;
use super::bindings::vestibule::plugin::templates::{Button, Category, Quality};
use super::bindings::vestibule::plugin::types::Value;
use super::bindings::vestibule::plugin::window::{PriceClass, State};
use super::wired::values::{meant_day, meant_number, shown_day};
use crate::domain::attribute::AttributeValue;
use crate::domain::template::{ButtonShape, TemplateCategory, TemplateQuality};
use crate::domain::{self, OpenWord};
use crate::plugin_host::abi::charge::{Carried, carries, flat};
use crate::plugin_host::hook::Destination;
use crate::plugin_host::reads;

/// What is no value here is the text of its JSON.
pub(super) fn shown(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Boolean(value) => Value::Boolean(*value),
        AttributeValue::Number(number) => Value::Number(number.get()),
        AttributeValue::Text(text) => Value::Text(text.clone()),
        AttributeValue::Date { date } => Value::Date(shown_day(*date)),
        AttributeValue::Items(items) => Value::Items(items.clone()),
        AttributeValue::Other(json) => Value::Text(json.to_string()),
    }
}

/// What the guest means, or what is wrong with it.
pub(super) fn meant(value: Value) -> Result<AttributeValue, String> {
    Ok(match value {
        Value::Text(text) => AttributeValue::Text(text),
        Value::Boolean(value) => AttributeValue::Boolean(value),
        Value::Items(items) => AttributeValue::Items(items),
        Value::Number(number) => AttributeValue::Number(meant_number(number)?),
        Value::Date(day) => AttributeValue::Date {
            date: meant_day(day)?,
        },
    })
}

/// Whoever else it was, it was not the customer: nobody mistakes the gateway for them.
pub(super) fn speaker(who: OpenWord<reads::Speaker>) -> Speaker {
    match who {
        OpenWord::Known(reads::Speaker::Person) => Speaker::Person,
        OpenWord::Known(reads::Speaker::Bot) => Speaker::Bot,
        OpenWord::Known(reads::Speaker::Agent) => Speaker::Agent,
        OpenWord::Known(reads::Speaker::Client) => Speaker::Client,
        OpenWord::Known(reads::Speaker::Gateway) | OpenWord::Other(_) => Speaker::Gateway,
    }
}

/// `None`: the message is told as one of another kind, without a file.
pub(super) fn media_kind(kind: &OpenWord<domain::inbound::MediaKind>) -> Option<MediaKind> {
    use domain::inbound::MediaKind as Known;
    Some(match kind {
        OpenWord::Known(Known::Image) => MediaKind::Image,
        OpenWord::Known(Known::Video) => MediaKind::Video,
        OpenWord::Known(Known::Audio) => MediaKind::Audio,
        OpenWord::Known(Known::Document) => MediaKind::Document,
        OpenWord::Known(Known::Sticker) => MediaKind::Sticker,
        OpenWord::Other(_) => return None,
    })
}

/// `None`: the hook is not called. Every status that the line has would be untrue.
pub(super) fn receipt_status(status: &OpenWord<domain::ReceiptStatus>) -> Option<ReceiptStatus> {
    use domain::ReceiptStatus as Known;
    Some(match status {
        // Meta tells of no such receipt: it is our own word for the time before the first.
        OpenWord::Known(Known::Accepted | Known::Sent) => ReceiptStatus::Sent,
        OpenWord::Known(Known::Delivered) => ReceiptStatus::Delivered,
        OpenWord::Known(Known::Read) => ReceiptStatus::Read,
        OpenWord::Known(Known::Played) => ReceiptStatus::Played,
        OpenWord::Known(Known::Failed) => ReceiptStatus::Failed,
        OpenWord::Other(_) => return None,
    })
}

/// What nobody can name needs the consent of marketing.
pub(super) fn category(category: OpenWord<TemplateCategory>) -> Category {
    match category {
        OpenWord::Known(TemplateCategory::Authentication) => Category::Authentication,
        OpenWord::Known(TemplateCategory::Utility) => Category::Utility,
        OpenWord::Known(TemplateCategory::Marketing) | OpenWord::Other(_) => Category::Marketing,
    }
}

pub(super) fn asked_category(category: Category) -> OpenWord<TemplateCategory> {
    OpenWord::Known(match category {
        Category::Authentication => TemplateCategory::Authentication,
        Category::Utility => TemplateCategory::Utility,
        Category::Marketing => TemplateCategory::Marketing,
    })
}

pub(super) fn quality(quality: OpenWord<TemplateQuality>) -> Quality {
    match quality {
        OpenWord::Known(TemplateQuality::High) => Quality::High,
        OpenWord::Known(TemplateQuality::Medium) => Quality::Medium,
        OpenWord::Known(TemplateQuality::Low) => Quality::Low,
        OpenWord::Known(TemplateQuality::Unknown) | OpenWord::Other(_) => Quality::Unknown,
    }
}

pub(super) fn button(button: ButtonShape) -> Button {
    match button {
        ButtonShape::QuickReply => Button::QuickReply,
        ButtonShape::Url | ButtonShape::Other => Button::Fixed,
        ButtonShape::UrlWithSuffix => Button::UrlSuffix,
        ButtonShape::CopyCode => Button::CopyCode,
        ButtonShape::OneTimeCode => Button::OneTimeCode,
        ButtonShape::Flow => Button::Flow,
        ButtonShape::Catalog | ButtonShape::VoiceCall => Button::Other,
        ButtonShape::MultiProduct => Button::OtherRequired,
    }
}

pub(super) fn destination(to: routing::Destination) -> Destination {
    match to {
        routing::Destination::Bot => Destination::Bot,
        routing::Destination::Queue(name) => Destination::Queue(name),
        routing::Destination::Agent(name) => Destination::Agent(name),
        routing::Destination::Silence => Destination::Silence,
        routing::Destination::Pass => Destination::Pass,
    }
}

flat!(
    Speaker,
    MediaKind,
    ReceiptStatus,
    Category,
    Quality,
    Button,
    State,
    PriceClass
);

impl Carried for Value {
    fn carried(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Items(items) => items.carried(),
            Self::Number(_) | Self::Date(_) | Self::Boolean(_) => size_of::<u64>(),
        }
    }
}

carries! {
    EffectError { | Invalid Quota Denied }
    KvError { Denied | Quota Invalid Unavailable }
    ReadError { Denied | Invalid Quota Unavailable }
    HttpError { Timeout TooLarge | Denied Invalid Quota Absent Unreachable Unavailable }
    Owner { Bot | Queue Agent Client }
}
