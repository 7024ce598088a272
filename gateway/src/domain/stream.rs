//! The event stream of a tenant: what happened, in one order, each with a number that only grows.
//!
//! An event points at the rows that it is about and copies nothing of them: no text and no phone number stands in it.
//! What it looks like to people is `events::render`'s; how it gets its number is `storage::stream`'s.

use super::conversation::Owner;
use super::id::{ConversationId, TenantId};
use super::time::Timestamp;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $word:literal;)*) => {
        /// What happened. The numbers are what the database holds; the words are the API's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum StreamKind {
            $($(#[$doc])* $name = $code,)*
        }

        impl StreamKind {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The stable word: clients keep it.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

kinds! {
    /// A customer wrote. Subject: the inbound event; detail: who owned the conversation.
    MessageReceived = 1, "message.received";
    /// Meta took a send. Subject: the outbox row.
    MessageSent = 2, "message.sent";
    /// A receipt of a send. Subject: the outbox row; detail: the receipt's status.
    MessageStatus = 3, "message.status";
    /// A send was given up. Note: why.
    MessageFailed = 4, "message.failed";
    /// Policy refused a send when it was about to go. Note: why.
    MessageRefused = 5, "message.refused";
    /// A send was withdrawn before it went. Note: why.
    MessageCancelled = 6, "message.cancelled";
    /// A person's first message to a number.
    ConversationOpened = 20, "conversation.opened";
    /// It waits for the people of a queue. Subject of this and the next two: the line of the owner log.
    ConversationQueued = 21, "conversation.queued";
    /// An agent or an outside client has it.
    ConversationAssigned = 22, "conversation.assigned";
    /// The bot has it again.
    ConversationHandedBack = 23, "conversation.handed_back";
    /// The first message of a person or client since the bot had it. Subject: the outbox row.
    ConversationFirstHumanReply = 24, "conversation.first_human_reply";
    /// Note of this and the following: who did it.
    ConversationClosed = 25, "conversation.closed";
    ConversationReopened = 26, "conversation.reopened";
    /// Subject: until when, unix milliseconds.
    ConversationSnoozed = 27, "conversation.snoozed";
    /// The time is over, or the customer wrote.
    ConversationWoke = 28, "conversation.woke";
    /// A note for the people who work with it. Subject: the line of the owner log that holds it.
    ConversationNoted = 29, "conversation.noted";
    /// A plugin tells something. Subject: the row that holds it; note: its name.
    PluginEvent = 40, "plugin.event";
    /// A version in service failed too often and the last good one is back. Subject of this and the next two: the
    /// installation; note: which versions, and why. They are of no conversation.
    PluginRolledBack = 41, "plugin.rolled_back";
    /// The same, and there was none: turns fall back without it.
    PluginBreakerOpened = 42, "plugin.breaker_opened";
    /// It runs again.
    PluginBreakerClosed = 43, "plugin.breaker_closed";
    /// Something about a template changed. Of no conversation. Subject: the line of its history; note: what changed.
    TemplateChanged = 50, "template.changed";
    /// An allowance is used up to a part. Of no conversation; subject: the number; detail: percent; note: of what.
    UsageWarned = 51, "usage.warned";
    /// The gateway holds a number's marketing. Of no conversation; subject: the number; note: why.
    MarketingHeld = 52, "number.marketing_held";
}

impl StreamKind {
    pub fn code(self) -> u8 {
        self as u8
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }

    /// What a change to this owner is.
    pub fn of_owner(owner: &Owner) -> Self {
        match owner {
            Owner::Bot => Self::ConversationHandedBack,
            Owner::Queue(_) => Self::ConversationQueued,
            Owner::Agent(_) | Owner::External(_) => Self::ConversationAssigned,
        }
    }
}

/// Something that happened, before it has its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEvent {
    pub tenant: TenantId,
    pub conversation: ConversationId,
    pub kind: StreamKind,
    /// The row that it is about, as its kind says; 0: none but the conversation.
    pub subject: i64,
    /// A small number, as its kind says.
    pub detail: u8,
    /// A few words of the gateway's own: a reason code, who did it. At most 255 bytes are kept.
    pub note: String,
    pub at: Timestamp,
}

impl StreamEvent {
    pub fn new(
        tenant: TenantId,
        conversation: ConversationId,
        kind: StreamKind,
        at: Timestamp,
    ) -> Self {
        Self {
            tenant,
            conversation,
            kind,
            subject: 0,
            detail: 0,
            note: String::new(),
            at,
        }
    }

    #[must_use]
    pub fn about(mut self, subject: i64) -> Self {
        self.subject = subject;
        self
    }

    #[must_use]
    pub fn with_detail(mut self, detail: i64) -> Self {
        self.detail = u8::try_from(detail).unwrap_or(u8::MAX);
        self
    }

    #[must_use]
    pub fn noting(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// An event of a tenant's stream with its number: 1, 2, 3 …
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    pub seq: i64,
    pub event: StreamEvent,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_their_codes_and_words() {
        for kind in StreamKind::ALL {
            assert_eq!(StreamKind::from_code(kind.code()), Some(*kind));
            assert_eq!(StreamKind::from_word(kind.word()), Some(*kind));
        }
        assert_eq!(StreamKind::from_code(0), None);
        assert_eq!(StreamKind::from_word("message"), None);
    }
}
