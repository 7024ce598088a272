//! The words of the consent ledger (`whatsapp-cloud-api.md` §10.4): what a statement covers, what it says, and how it came.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::NumberId;

/// What a statement about consent covers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConsentScope {
    /// Everything that the business begins.
    All,
    /// Everything but security codes, answers too (STOPALL).
    AllButSecurity,
    Marketing,
    Utility,
    /// A part of marketing that the tenant has a name for.
    Topic(String),
    /// Answers: open again once the person writes after a STOP.
    Replies,
    /// Marketing in WhatsApp's own settings; only Meta's word moves it.
    MetaMarketing,
    /// Everything by one number, either way: withdrawn while the business has the person on its block list there.
    Number(NumberId),
}

impl ConsentScope {
    const TOPIC: &'static str = "topic:";
    const NUMBER: &'static str = "number:";

    /// Longest name of a topic.
    pub const TOPIC_MOST: usize = 40;

    /// What names something.
    fn named(text: &str) -> Option<Self> {
        if let Some(number) = text.strip_prefix(Self::NUMBER) {
            return number.parse().ok().map(Self::Number);
        }
        let name = text.strip_prefix(Self::TOPIC)?;
        Self::is_topic_name(name).then(|| Self::Topic(name.to_owned()))
    }

    /// May a topic be called so? Lower-case letters, digits, `_` and `-`: it stands in addresses.
    pub fn is_topic_name(name: &str) -> bool {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        !name.is_empty() && name.len() <= Self::TOPIC_MOST && name.chars().all(fits)
    }
}

impl fmt::Display for ConsentScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::AllButSecurity => "all_but_security",
            Self::Marketing => "marketing",
            Self::Utility => "utility",
            Self::Replies => "replies",
            Self::MetaMarketing => "meta_marketing",
            Self::Topic(name) => return write!(f, "{}{name}", Self::TOPIC),
            Self::Number(number) => return write!(f, "{}{number}", Self::NUMBER),
        })
    }
}

impl FromStr for ConsentScope {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Ok(match text {
            "all" => Self::All,
            "all_but_security" => Self::AllButSecurity,
            "marketing" => Self::Marketing,
            "utility" => Self::Utility,
            "replies" => Self::Replies,
            "meta_marketing" => Self::MetaMarketing,
            other => Self::named(other).ok_or(UnknownWord("scope"))?,
        })
    }
}

/// A tenant's topics: names, and the bits that stand for them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topics(BTreeMap<String, u8>);

impl Topics {
    pub fn new(topics: impl IntoIterator<Item = (String, u8)>) -> Self {
        Self(topics.into_iter().collect())
    }

    pub fn bit(&self, name: &str) -> Option<u8> {
        self.0.get(name).copied()
    }

    pub fn name(&self, bit: u8) -> Option<String> {
        let found = self.0.iter().find(|(_, other)| **other == bit);
        found.map(|(name, _)| name.clone())
    }
}

/// A word that the ledger does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no {0} of a consent record that this version knows")]
pub struct UnknownWord(&'static str);

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal: $($(#[$each:meta])* $variant:ident = $word:literal,)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$each])* $variant,)*
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The stable word: rows and clients keep it.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                let found = Self::ALL.iter().find(|one| one.word() == text);
                found.copied().ok_or(UnknownWord($what))
            }
        }
    };
}

words! {
    /// What a record says.
    ConsentStatus, "status":
    Given = "given",
    Withdrawn = "withdrawn",
    /// Asked for, not confirmed by the person yet.
    Pending = "pending",
    /// The person's data was erased: what older records of theirs said is gone.
    Erased = "erased",
}

words! {
    /// How a statement came.
    ConsentChannel, "channel":
    /// A form on the web.
    Form = "form",
    Checkout = "checkout",
    /// A word or button in the chat.
    Keyword = "keyword",
    /// Asked for elsewhere, confirmed in the chat.
    DoubleOptIn = "double_opt_in",
    /// Somebody of the business wrote it down.
    Agent = "agent",
    Import = "import",
    Api = "api",
    /// Meta told of it: `user_preferences`, 131050.
    Meta = "meta",
    /// A message of the person that was no word, but opens replies again.
    Message = "message",
    /// What they said in the chat, understood by a plugin.
    Plugin = "plugin",
    /// The person turned out to be known by something else.
    Identity = "identity",
    /// They were put on the business's block list.
    BlockList = "block_list",
}

impl ConsentChannel {
    /// Did the person do it themselves? Only then does a new opt-in lift an opt-out: no list and no member of staff does.
    pub fn is_own_act(self) -> bool {
        matches!(
            self,
            Self::Form | Self::Checkout | Self::Keyword | Self::DoubleOptIn
        )
    }

    /// May a client say so? The others are what the gateway itself sees.
    pub fn is_told(self) -> bool {
        matches!(
            self,
            Self::Form | Self::Checkout | Self::Agent | Self::Import | Self::Api | Self::BlockList
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_leads_back() {
        for channel in ConsentChannel::ALL {
            assert_eq!(channel.word().parse(), Ok(*channel));
        }
        for status in ConsentStatus::ALL {
            assert_eq!(status.word().parse(), Ok(*status));
        }
        let topic = ConsentScope::Topic("news-2".to_owned());
        let number = ConsentScope::Number(NumberId::from_raw(7));
        for scope in [
            ConsentScope::All,
            ConsentScope::AllButSecurity,
            topic,
            number,
        ] {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        for wrong in [
            "",
            "topic:",
            "topic:Big News",
            "ALL",
            "number:",
            "number:ten_7",
        ] {
            assert!(wrong.parse::<ConsentScope>().is_err(), "{wrong}");
        }
    }
}
