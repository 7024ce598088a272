//! Templates as they are sent (§4.4): a name, a language and what fills the variables.
//!
//! Parts without variables are left out; a media header must always be given. What a template looks like is Meta's to
//! know: here stands only what a send says.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::check::each;
use super::check::parameter::is_one_time_code;
use super::commerce::ProductSection;
use super::malformed::Malformed;
use super::media::{Document, Media};
use super::place::Place;
use crate::domain::Timestamp;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateContent {
    pub name: String,
    /// Exactly as approved; there is no fallback between languages. Before it is settled it may be a wish: `auto`, or
    /// several codes (a list, or one text with commas between) of which the first that fits is taken.
    #[serde(deserialize_with = "language_or_list")]
    pub language: String,
    /// Of the body. All positional, in their order, or all named.
    #[serde(default)]
    pub parameters: Vec<TemplateParameter>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<TemplateHeader>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<TemplateButton>,
    /// Of a carousel: exactly as many as the template was approved with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cards: Vec<TemplateCard>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_time_offer: Option<LimitedTimeOffer>,
    /// Goes to the Marketing Messages endpoint (§4.6); without it, to the ordinary one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marketing_messages: Option<MarketingMessages>,
    /// The tenant's name for the part of marketing that it belongs to: consent to it is consent to this. Never sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

/// What a variable is filled with. Positional when it has no name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateParameter {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default)]
    pub value: String,
    /// Sent when `value` is blank. Without it a blank value is refused: nobody is greeted with "Hi ,".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    #[serde(default, skip_serializing_if = "ParameterFormat::is_text")]
    pub format: ParameterFormat,
}

/// How Meta is told what the value is. It shows the value as it stands in every case (§4.4).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterFormat {
    #[default]
    Text,
    Currency(Currency),
    DateTime,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Currency {
    /// ISO 4217.
    pub code: String,
    /// The amount times 1,000.
    pub amount_1000: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TemplateHeader {
    /// Its one variable.
    Text(TemplateParameter),
    Image(Media),
    Video(Media),
    Document(Document),
    /// An MP4 that loops; the Marketing Messages endpoint only (§4.6).
    Gif(Media),
    Location(Place),
    Product(CardProduct),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardProduct {
    pub catalog_id: String,
    pub product_retailer_id: String,
}

/// A button that takes something. `index` counts over all buttons of the template, from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum TemplateButton {
    /// What comes back when it is tapped; without it, its words.
    QuickReply { index: u8, payload: String },
    /// The end of the address, behind what the template has of it.
    Url { index: u8, suffix: String },
    /// A coupon's code, to be copied.
    CopyCode { index: u8, coupon_code: String },
    /// Of an authentication template, of whatever kind: it takes the body's one parameter, so that the two never differ.
    OneTimeCode { index: u8 },
    Flow {
        index: u8,
        flow_token: String,
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        data: Map<String, Value>,
    },
    Catalog {
        index: u8,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thumbnail_product_retailer_id: Option<String>,
    },
    MultiProduct {
        index: u8,
        thumbnail_product_retailer_id: String,
        sections: Vec<ProductSection>,
    },
    VoiceCall {
        index: u8,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ttl_minutes: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payload: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateCard {
    pub header: CardHeader,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<TemplateParameter>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<TemplateButton>,
}

/// Of the same type on all cards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum CardHeader {
    Image(Media),
    Video(Media),
    Product(CardProduct),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitedTimeOffer {
    /// Unix milliseconds. An offer that is over is not sent.
    pub expires_at: Timestamp,
}

/// How the Marketing Messages endpoint is to take a template (§4.6).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketingMessages {
    #[serde(default)]
    pub product_policy: ProductPolicy,
    /// Without it, what the WhatsApp Business Account says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_activity_sharing: Option<bool>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProductPolicy {
    /// Where it cannot go out as a marketing message, it goes by the Cloud API.
    #[default]
    CloudApiFallback,
    Strict,
}

/// "The person's language, if the template has it."
pub const AUTO: &str = "auto";

/// Is this a wish of languages, and none that a template is approved in?
pub fn wishes_languages(language: &str) -> bool {
    language == AUTO || language.contains(',')
}

/// One text, or a list of codes: kept as one text with commas between.
fn language_or_list<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Language {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Language::deserialize(deserializer)? {
        Language::One(language) => language,
        // A comma at its end keeps a list of one a wish: it is approved, or nothing is sent.
        Language::Several(languages) if languages.len() == 1 => format!("{},", languages[0]),
        Language::Several(languages) => languages.join(","),
    })
}

impl TemplateContent {
    pub fn new(name: impl Into<String>, language: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            language: language.into(),
            ..Self::default()
        }
    }

    /// Is its language a wish still, to be settled among the approved ones?
    pub fn wishes_languages(&self) -> bool {
        wishes_languages(&self.language)
    }

    #[must_use]
    pub fn with_parameters(mut self, parameters: Vec<TemplateParameter>) -> Self {
        self.parameters = parameters;
        self
    }

    /// Is every parameter a one-time code? Asked of authentication templates, beside [`OutboundContent::check`](super::OutboundContent::check).
    pub fn check_code(&self) -> Result<(), Malformed> {
        each("parameters", &self.parameters, is_one_time_code)
    }

    /// Does it show a one-time code with its button?
    pub fn has_one_time_code(&self) -> bool {
        let code = |button: &TemplateButton| matches!(button, TemplateButton::OneTimeCode { .. });
        self.buttons.iter().any(code)
    }
}

impl TemplateParameter {
    pub fn positional(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            ..Self::default()
        }
    }

    pub fn named(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::positional(value)
        }
    }

    #[must_use]
    pub fn or(mut self, default: impl Into<String>) -> Self {
        self.default = Some(default.into());
        self
    }

    /// What the person reads.
    pub fn shown(&self) -> &str {
        match &self.default {
            Some(default) if self.value.trim().is_empty() => default,
            _ => &self.value,
        }
    }
}

impl ParameterFormat {
    fn is_text(&self) -> bool {
        *self == Self::Text
    }
}

impl TemplateButton {
    pub fn index(&self) -> u8 {
        match *self {
            Self::QuickReply { index, .. }
            | Self::Url { index, .. }
            | Self::CopyCode { index, .. }
            | Self::OneTimeCode { index }
            | Self::Flow { index, .. }
            | Self::Catalog { index, .. }
            | Self::MultiProduct { index, .. }
            | Self::VoiceCall { index, .. } => index,
        }
    }
}
