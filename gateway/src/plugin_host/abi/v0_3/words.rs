//! Where the line 0.3 differs from others: the host's words in its own, with `other` for those that it has no case for.

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
use crate::plugin_host::abi::charge::{Carried, carries};
use crate::plugin_host::hook::Destination;
use crate::plugin_host::reads;

pub(super) fn shown(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Boolean(value) => Value::Boolean(*value),
        AttributeValue::Number(number) => Value::Number(number.get()),
        AttributeValue::Text(text) => Value::Text(text.clone()),
        AttributeValue::Date { date } => Value::Date(shown_day(*date)),
        AttributeValue::Items(items) => Value::Items(items.clone()),
        AttributeValue::Other(json) => Value::Other(json.to_string()),
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
        Value::Other(_) => return Err("value: `other` is told and never set".to_owned()),
    })
}

pub(super) fn speaker(who: OpenWord<reads::Speaker>) -> Speaker {
    match who {
        OpenWord::Known(reads::Speaker::Person) => Speaker::Person,
        OpenWord::Known(reads::Speaker::Bot) => Speaker::Bot,
        OpenWord::Known(reads::Speaker::Agent) => Speaker::Agent,
        OpenWord::Known(reads::Speaker::Client) => Speaker::Client,
        OpenWord::Known(reads::Speaker::Gateway) => Speaker::Gateway,
        OpenWord::Other(word) => Speaker::Other(word),
    }
}

/// `None`: the line has no case for it, so there is no file to be seen.
pub(super) fn media_kind(kind: &OpenWord<domain::inbound::MediaKind>) -> Option<MediaKind> {
    use domain::inbound::MediaKind as Known;
    Some(match kind {
        OpenWord::Known(Known::Image) => MediaKind::Image,
        OpenWord::Known(Known::Video) => MediaKind::Video,
        OpenWord::Known(Known::Audio) => MediaKind::Audio,
        OpenWord::Known(Known::Document) => MediaKind::Document,
        OpenWord::Known(Known::Sticker) => MediaKind::Sticker,
        OpenWord::Other(word) => MediaKind::Other(word.clone()),
    })
}

/// `None`: the line has no case for it, and the hook is not called.
pub(super) fn receipt_status(status: &OpenWord<domain::ReceiptStatus>) -> Option<ReceiptStatus> {
    use domain::ReceiptStatus as Known;
    Some(match status {
        // Meta tells of no such receipt: it is our own word for the time before the first.
        OpenWord::Known(Known::Accepted | Known::Sent) => ReceiptStatus::Sent,
        OpenWord::Known(Known::Delivered) => ReceiptStatus::Delivered,
        OpenWord::Known(Known::Read) => ReceiptStatus::Read,
        OpenWord::Known(Known::Played) => ReceiptStatus::Played,
        OpenWord::Known(Known::Failed) => ReceiptStatus::Failed,
        OpenWord::Other(word) => ReceiptStatus::Other(word.clone()),
    })
}

pub(super) fn category(category: OpenWord<TemplateCategory>) -> Category {
    match category {
        OpenWord::Known(TemplateCategory::Authentication) => Category::Authentication,
        OpenWord::Known(TemplateCategory::Utility) => Category::Utility,
        OpenWord::Known(TemplateCategory::Marketing) => Category::Marketing,
        OpenWord::Other(word) => Category::Other(word),
    }
}

pub(super) fn asked_category(category: Category) -> OpenWord<TemplateCategory> {
    match category {
        Category::Authentication => OpenWord::Known(TemplateCategory::Authentication),
        Category::Utility => OpenWord::Known(TemplateCategory::Utility),
        Category::Marketing => OpenWord::Known(TemplateCategory::Marketing),
        // As it is kept and journalled: in lower case, and known if it is.
        Category::Other(word) => OpenWord::of(&word, TemplateCategory::from_word),
    }
}

pub(super) fn quality(quality: OpenWord<TemplateQuality>) -> Quality {
    match quality {
        OpenWord::Known(TemplateQuality::High) => Quality::High,
        OpenWord::Known(TemplateQuality::Medium) => Quality::Medium,
        OpenWord::Known(TemplateQuality::Low) => Quality::Low,
        OpenWord::Known(TemplateQuality::Unknown) => Quality::Unknown,
        OpenWord::Other(word) => Quality::Other(word),
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
        ButtonShape::Catalog => Button::Other("catalog".to_owned()),
        ButtonShape::VoiceCall => Button::Other("voice_call".to_owned()),
        ButtonShape::MultiProduct => Button::OtherRequired("multi_product".to_owned()),
    }
}

pub(super) fn destination(to: routing::Destination) -> Destination {
    match to {
        routing::Destination::Bot => Destination::Bot,
        routing::Destination::Queue(name) => Destination::Queue(name),
        routing::Destination::Agent(name) => Destination::Agent(name),
        routing::Destination::Silence => Destination::Silence,
        routing::Destination::Pass => Destination::Pass,
        routing::Destination::AsAsked => Destination::AsAsked,
    }
}

carries! {
    EffectError { | Invalid Quota Denied Other }
    KvError { Denied | Quota Invalid Unavailable Other }
    ReadError { Denied | Invalid Quota Unavailable Other }
    HttpError { Timeout TooLarge | Denied Invalid Quota Absent Unreachable Unavailable Other }
    Speaker { Person Bot Agent Client Gateway | Other }
    Owner { Bot | Queue Agent Client Other }
    MediaKind { Image Video Audio Document Sticker | Other }
    ReceiptStatus { Sent Delivered Read Played Failed | Other }
    Category { Authentication Utility Marketing | Other }
    Quality { High Medium Low Unknown | Other }
    Button { QuickReply Fixed UrlSuffix CopyCode OneTimeCode Flow | Other OtherRequired }
}

impl Carried for Value {
    fn carried(&self) -> usize {
        match self {
            Self::Text(text) | Self::Other(text) => text.len(),
            Self::Items(items) => items.carried(),
            Self::Number(_) | Self::Date(_) | Self::Boolean(_) => size_of::<u64>(),
        }
    }
}

impl Carried for State {
    fn carried(&self) -> usize {
        match self {
            Self::Open(_) | Self::Closed | Self::Unknown => size_of::<u64>(),
            Self::Other(word) => word.len(),
        }
    }
}

impl Carried for PriceClass {
    fn carried(&self) -> usize {
        match self {
            Self::FreeEntryPoint(_) | Self::Service | Self::ByCategory | Self::Unknown => {
                size_of::<u64>()
            }
            Self::Other(word) => word.len(),
        }
    }
}
