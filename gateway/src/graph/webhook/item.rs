//! What a webhook splits into: one item per message, status, error or other change.

use std::fmt;

use crate::domain::account::AccountNews;
use crate::domain::{InboundMessage, PersonRef, Receipt, Timestamp};

/// One element of a webhook.
#[derive(Clone, PartialEq)]
pub struct Item {
    /// The WhatsApp Business Account, or whatever stands in `entry[].id`; empty when nothing does.
    pub waba_id: String,
    /// Meta's id of the business number; absent for account and template events (facts §1.4).
    pub phone_number_id: Option<String>,
    /// The change's `field`; `body`, `entry` or `change` when the shape ended there.
    pub field: String,
    /// Meta's own time of it, else its entry's, in whole seconds.
    pub at: Option<Timestamp>,
    /// What makes it the same event when Meta delivers it again (promise 2). As long as the element itself for
    /// events without a wamid: hash it.
    pub key: String,
    pub kind: ItemKind,
    /// The element's own JSON text, as it came.
    pub raw: String,
}

#[derive(Clone, PartialEq)]
pub enum ItemKind {
    /// Something that belongs into a conversation: a person's message, a copy or echo of one, a call, a handover, what
    /// Meta says of the person.
    Message {
        /// Of a call its `wacid`; empty for what has no id.
        wamid: String,
        /// The person at the other end; `None` when Meta named nobody in a way we understand.
        from: Option<PersonRef>,
        profile_name: Option<String>,
        username: Option<String>,
        message: Box<InboundMessage>,
    },
    Status {
        receipt: Receipt,
        recipient: Option<PersonRef>,
    },
    /// The person chose in WhatsApp itself (facts §1.5).
    Preference {
        person: PersonRef,
        choice: MarketingChoice,
    },
    /// Meta speaks of an account, number, template or flow (facts §1.5).
    Account(Box<AccountNews>),
    /// Kept raw and counted under `what`: a stable word such as `account_update`, `messages.errors`, `history.messages`,
    /// `message.group`, `status.deleted`.
    Other { what: String },
}

/// What a person chose about all marketing of this business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarketingChoice {
    Stop,
    Resume,
}

impl ItemKind {
    /// Stable word for logs and metrics.
    pub fn word(&self) -> &str {
        match self {
            Self::Message { .. } => "message",
            Self::Account(news) => &news.what,
            Self::Status { .. } => "status",
            Self::Preference { .. } => "user_preferences",
            Self::Other { what } => what,
        }
    }
}

/// Items are full of personal data (even a wamid holds the phone): only their outline prints.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("phone_number_id", &self.phone_number_id)
            .field("field", &self.field)
            .field("at", &self.at)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
