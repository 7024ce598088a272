//! The states of a send. Who may move one to where is `outbox`'s to say; how far Meta got with it is a receipt's.

/// Where an outbox row stands. The numbers are what the database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutboxState {
    /// Waits for its turn at Meta.
    Queued = 0,
    /// Handed to a call that may be on its way. After a crash: may have been sent.
    Claimed = 1,
    /// Meta took it. Receipts tell the rest.
    Accepted = 2,
    /// May have been sent; no answer came. Settled by a receipt, or by rule after a grace period (promise 5).
    Unknown = 3,
    /// Policy said no when it was claimed.
    Refused = 4,
    /// Given up, for a reason that stands in the row.
    Failed = 5,
    /// Withdrawn before it was claimed: somebody took the conversation over.
    Cancelled = 6,
    /// Waits for its hour, in nobody's way, and is decided again then.
    Deferred = 7,
}

impl OutboxState {
    pub fn code(self) -> i64 {
        self as i64
    }

    pub fn from_code(code: i64) -> Option<Self> {
        [
            Self::Queued,
            Self::Claimed,
            Self::Accepted,
            Self::Unknown,
            Self::Refused,
            Self::Failed,
            Self::Cancelled,
            Self::Deferred,
        ]
        .into_iter()
        .find(|state| state.code() == code)
    }

    /// Stable word for logs, metrics and pages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Claimed => "claimed",
            Self::Accepted => "accepted",
            Self::Unknown => "unknown",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Deferred => "deferred",
        }
    }
}
