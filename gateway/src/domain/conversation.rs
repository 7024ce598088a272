//! Who a conversation belongs to: the bot, a queue, an agent or an outside client.

use serde::{Deserialize, Serialize};

/// The owner of a conversation. Plugins answer only while it is the bot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Owner {
    Bot,
    /// People of a queue, nobody in particular yet.
    Queue(String),
    Agent(String),
    /// An outside inbox on our API.
    External(String),
}

impl Owner {
    pub fn is_bot(&self) -> bool {
        matches!(self, Self::Bot)
    }

    /// The number that the database holds.
    pub fn code(&self) -> i64 {
        match self {
            Self::Bot => 0,
            Self::Queue(_) => 1,
            Self::Agent(_) => 2,
            Self::External(_) => 3,
        }
    }

    /// The queue's, agent's or client's name; empty for the bot.
    pub fn name(&self) -> &str {
        match self {
            Self::Bot => "",
            Self::Queue(name) | Self::Agent(name) | Self::External(name) => name,
        }
    }

    pub fn from_parts(code: i64, name: &str) -> Option<Self> {
        match code {
            0 => Some(Self::Bot),
            1 => Some(Self::Queue(name.to_owned())),
            2 => Some(Self::Agent(name.to_owned())),
            3 => Some(Self::External(name.to_owned())),
            _ => None,
        }
    }
}

/// The attribute by which the bot is told, in its next turn and no later one, that it has the conversation again:
/// `by_hand`, `closed` or `timeout`.
pub const HANDED_BACK: &str = "vestibule.handed_back";

/// One line of a conversation's ownership log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerChange {
    pub from: Owner,
    pub to: Owner,
    /// A stable word: `word_for_human`, `plugin_hand_over`, `routing`, `queue_unserved`; `take_over`, `assigned`,
    /// `human_message`, `hand_back`, `closed`, `timeout`.
    pub reason: String,
    /// Who did it: a plugin with its version, an agent, a rule.
    pub by: String,
    /// What the receiver should know.
    pub note: Option<String>,
}
