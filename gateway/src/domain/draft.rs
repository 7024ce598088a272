//! A draft: something that somebody wants to send. Only policy can clear it.

use serde::{Deserialize, Serialize};

use super::contact::Recipient;
use super::id::{ContactId, ConversationId, InstallationId, NumberId, OutboxId, TenantId};
use super::outbound::OutboundContent;
use super::time::Timestamp;

/// Who wants to send. Kept with the row for ever: every message has an author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Sender {
    Plugin {
        installation: InstallationId,
        name: String,
        version: String,
        /// Said in the turn in which the bot handed the conversation over: it goes out although the bot does not own
        /// the conversation any more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        farewell: bool,
    },
    ApiKey {
        name: String,
    },
    Agent {
        name: String,
    },
    /// The gateway itself by one of its rules: `opt_out_confirmation`, `human_requested`, `fallback`, …
    Rule {
        name: String,
    },
}

impl Sender {
    /// Does it speak for the bot? Who takes the conversation over withdraws what such senders have queued.
    pub fn is_bot(&self) -> bool {
        matches!(self, Self::Plugin { .. })
    }
}

impl Draft {
    /// Does the person see an answer that no human and no client has asked for? Another automat may answer it in turn,
    /// so the loop brake counts it. The confirmation of a word about consent is none: it comes once for each change.
    pub fn is_automatic_answer(&self) -> bool {
        let seen = !matches!(self.content, OutboundContent::MarkRead { .. });
        let automatic = match &self.sender {
            Sender::Plugin { .. } => true,
            Sender::Rule { name } => {
                self.class == DraftClass::Reply && name != "opt_out_confirmation"
            }
            Sender::ApiKey { .. } | Sender::Agent { .. } => false,
        };
        seen && automatic
    }
}

/// What a send is for. It decides what consent it needs and whether a doubt may be settled by sending again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftClass {
    /// An answer within a conversation the customer began.
    Reply,
    /// The one confirmation of an opt-out; the last thing that person gets.
    OptOutConfirmation,
    /// Business-initiated: an order update, a reminder.
    Utility,
    /// Business-initiated: advertising.
    Marketing,
    /// A one-time code.
    Authentication,
}

impl DraftClass {
    pub fn is_business_initiated(self) -> bool {
        matches!(self, Self::Utility | Self::Marketing | Self::Authentication)
    }

    /// The number that the database holds.
    pub fn code(self) -> i64 {
        match self {
            Self::Reply => 0,
            Self::OptOutConfirmation => 1,
            Self::Utility => 2,
            Self::Marketing => 3,
            Self::Authentication => 4,
        }
    }

    pub fn from_code(code: i64) -> Option<Self> {
        [
            Self::Reply,
            Self::OptOutConfirmation,
            Self::Utility,
            Self::Marketing,
            Self::Authentication,
        ]
        .into_iter()
        .find(|class| class.code() == code)
    }
}

/// A wish to send. It has its outbox id from birth, so that a re-run of nothing can double it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub id: OutboxId,
    pub tenant: TenantId,
    pub number: NumberId,
    pub conversation: ConversationId,
    pub contact: ContactId,
    pub recipient: Recipient,
    pub content: OutboundContent,
    /// wamid of the message this quotes, if any.
    pub reply_to: Option<String>,
    pub class: DraftClass,
    pub sender: Sender,
    /// The conversation's owner version when the draft was made: a take-over since then stops a bot's draft.
    pub owner_version: i64,
    pub created_at: Timestamp,
}
