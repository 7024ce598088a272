//! Templates as Meta keeps them (§6.4, §6.5): the state that one is in, what it is charged as, and what a send must fill.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Enums whose values Meta spells with one word each.
macro_rules! words {
    ($($(#[$doc:meta])* $enum:ident { $($(#[$one:meta])* $name:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $enum {
            $($(#[$one])* $name,)*
        }

        impl $enum {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// As Meta spells it.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }

        impl fmt::Display for $enum {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl Serialize for $enum {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.word())
            }
        }

        impl<'de> Deserialize<'de> for $enum {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let word = String::deserialize(from)?;
                let unknown = || D::Error::custom(format!("there is no {} {word:?}", stringify!($enum)));
                Self::from_word(&word).ok_or_else(unknown)
            }
        }
    )*};
}

words! {
    /// What Meta charges a template as, and what the person's consent must cover.
    TemplateCategory {
        Authentication = "AUTHENTICATION",
        Utility = "UTILITY",
        Marketing = "MARKETING",
    }

    /// Only what is approved can be sent (§6.5).
    TemplateStatus {
        Approved = "APPROVED",
        Pending = "PENDING",
        InAppeal = "IN_APPEAL",
        Rejected = "REJECTED",
        Paused = "PAUSED",
        Disabled = "DISABLED",
        Locked = "LOCKED",
        LimitExceeded = "LIMIT_EXCEEDED",
        Archived = "ARCHIVED",
        PendingDeletion = "PENDING_DELETION",
        Deleted = "DELETED",
        /// A word that this version does not know: not approved, whatever it is.
        Other = "OTHER",
    }

    /// What people make of it (§6.5, `quality_score`).
    TemplateQuality {
        High = "GREEN",
        Medium = "YELLOW",
        Low = "RED",
        Unknown = "UNKNOWN",
    }
}

impl TemplateStatus {
    /// What the `event` of a status webhook (§1.5) leaves a template as. `None`: it changes nothing about sending.
    pub fn after_event(event: &str) -> Option<Self> {
        match event {
            "REINSTATED" | "UNARCHIVED" => Some(Self::Approved),
            // A warning: it may be sent as before.
            "FLAGGED" => None,
            word => Some(Self::from_word(word).unwrap_or(Self::Other)),
        }
    }
}

/// What a send by a template must and may fill, read from its components once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TemplateShape {
    pub header: HeaderShape,
    /// Variables of the body: `1`, `2` … or names, each once.
    pub body: Vec<String>,
    /// In their order; a send names one by its place.
    pub buttons: Vec<ButtonShape>,
    pub cards: Vec<CardShape>,
    /// A limited-time offer whose end every send says.
    pub offer: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeaderShape {
    /// None, or words without a variable: a send leaves it out.
    #[default]
    Fixed,
    /// Its one variable.
    Text(String),
    Image,
    Video,
    Document,
    Gif,
    Location,
    Product,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ButtonShape {
    QuickReply,
    /// Always the same address: takes nothing.
    Url,
    /// An address whose end every send says.
    UrlWithSuffix,
    CopyCode,
    OneTimeCode,
    Flow,
    Catalog,
    MultiProduct,
    VoiceCall,
    /// Takes nothing that we can give: a phone number, one product, what Meta invents tomorrow.
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CardShape {
    pub header: HeaderShape,
    pub body: Vec<String>,
    pub buttons: Vec<ButtonShape>,
}

impl HeaderShape {
    /// The name of its kind, as a send has it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Text(_) => "text",
            Self::Image => "image",
            Self::Video => "video",
            Self::Document => "document",
            Self::Gif => "gif",
            Self::Location => "location",
            Self::Product => "product",
        }
    }
}

impl ButtonShape {
    /// Without its value Meta refuses the send (§4.4).
    pub fn must_be_given(self) -> bool {
        matches!(
            self,
            Self::UrlWithSuffix | Self::CopyCode | Self::OneTimeCode | Self::MultiProduct
        )
    }
}

/// Names between double braces, in order, each once: `{{1}}`, `{{first_name}}`. Numbers are sorted.
pub fn variables(text: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for rest in text.split("{{").skip(1) {
        if let Some((name, _)) = rest.split_once("}}") {
            let name = name.trim();
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    if names.iter().all(|name| is_position(name)) {
        names.sort_by_key(|name| name.parse::<u32>().unwrap_or(u32::MAX));
    }
    names
}

/// Is a variable of this name filled by its place?
pub fn is_position(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit())
}

/// Where something was learnt about a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learnt {
    /// Read from Graph, one after the other.
    Sync,
    /// Told by Meta.
    Webhook,
    /// What Graph answered to a change, or to a send.
    Answer,
    /// What a receipt says that was charged.
    Receipt,
}

impl Learnt {
    pub fn word(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Webhook => "webhook",
            Self::Answer => "answer",
            Self::Receipt => "receipt",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_once_and_numbers_in_their_order() {
        assert_eq!(variables("Hi {{2}}, {{ 1 }} and {{2}}"), ["1", "2"]);
        assert_eq!(variables("Hi {{name}} of {{city}}"), ["name", "city"]);
        assert_eq!(variables("Hi {{name"), Vec::<String>::new());
    }

    #[test]
    fn events_lead_to_states_and_a_warning_to_none() {
        assert_eq!(
            TemplateStatus::after_event("REINSTATED"),
            Some(TemplateStatus::Approved)
        );
        assert_eq!(TemplateStatus::after_event("FLAGGED"), None);
        assert_eq!(
            TemplateStatus::after_event("SOMETHING_NEW"),
            Some(TemplateStatus::Other)
        );
        for status in TemplateStatus::ALL {
            assert_eq!(TemplateStatus::from_word(status.word()), Some(*status));
        }
    }
}
