//! Receipts: what Meta says became of a send (`whatsapp-cloud-api.md` §3). They only move forward.

use serde::{Deserialize, Serialize};

use super::id::OutboxId;
use super::time::Timestamp;

/// How far a send got. The numbers are what the database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptStatus {
    Accepted = 0,
    Sent = 1,
    Delivered = 2,
    Read = 3,
    Played = 4,
    Failed = 9,
}

impl ReceiptStatus {
    pub fn code(self) -> i64 {
        self as i64
    }

    pub fn from_code(code: i64) -> Option<Self> {
        [
            Self::Accepted,
            Self::Sent,
            Self::Delivered,
            Self::Read,
            Self::Played,
            Self::Failed,
        ]
        .into_iter()
        .find(|status| status.code() == code)
    }

    /// Meta's word (facts §3.1), and ours.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
        }
    }

    /// What a send's status is after `next` came in while it was `self`.
    ///
    /// accepted < sent < delivered < read < played; `failed` only from accepted or sent, and a later delivered or
    /// better wins over it (promise 9).
    #[must_use]
    pub fn after(self, next: Self) -> Self {
        use ReceiptStatus::{Accepted, Failed, Sent};
        match (self, next) {
            (Failed, Accepted | Sent) => Failed,
            (Accepted | Sent, Failed) => Failed,
            (_, Failed) => self,
            (Failed, better) => better,
            (now, next) if next.code() > now.code() => next,
            (now, _) => now,
        }
    }
}

/// One status webhook, typed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub wamid: String,
    pub status: ReceiptStatus,
    pub at: Timestamp,
    /// Our outbox id, read back from `biz_opaque_callback_data`.
    pub outbox: Option<OutboxId>,
    /// Meta's error code of a `failed`.
    pub error: Option<i64>,
    /// The `pricing` object as it came, JSON text.
    pub pricing: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::ReceiptStatus::{self, *};

    #[test]
    fn receipts_only_move_forward() {
        let cases: [(ReceiptStatus, ReceiptStatus, ReceiptStatus); 12] = [
            (Accepted, Sent, Sent),
            (Sent, Accepted, Sent),
            (Accepted, Read, Read),
            (Read, Delivered, Read),
            (Read, Played, Played),
            (Accepted, Failed, Failed),
            (Sent, Failed, Failed),
            (Delivered, Failed, Delivered),
            (Read, Failed, Read),
            (Failed, Sent, Failed),
            (Failed, Delivered, Delivered),
            (Failed, Read, Read),
        ];
        for (now, next, expected) in cases {
            assert_eq!(now.after(next), expected, "{now:?} then {next:?}");
        }
    }
}
