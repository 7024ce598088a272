//! Receipts: what Meta says became of a send (`whatsapp-cloud-api.md` §3). They only move forward.

use serde::{Deserialize, Serialize};

use super::id::OutboxId;
use super::open_word::OpenWord;
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

impl OpenWord<ReceiptStatus> {
    pub fn word(&self) -> &str {
        match self {
            Self::Known(status) => status.word(),
            Self::Other(word) => word,
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
    /// Until when Meta charges nothing in this conversation, when it says so (§6.2): a price, never a permission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_until: Option<Timestamp>,
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

    /// Every order in which these can come, each once.
    fn orders(of: &[ReceiptStatus]) -> Vec<Vec<ReceiptStatus>> {
        if of.is_empty() {
            return vec![vec![]];
        }
        let mut all = Vec::new();
        for (index, first) in of.iter().enumerate() {
            let mut rest = of.to_vec();
            rest.remove(index);
            for mut order in orders(&rest) {
                order.insert(0, *first);
                all.push(order);
            }
        }
        all
    }

    #[test]
    fn the_end_does_not_depend_on_the_order_of_receipts() {
        let all = [Sent, Delivered, Read, Played, Failed];
        for chosen in 0_u32..32 {
            let came: Vec<_> = (0..)
                .zip(all)
                .filter(|(bit, _)| chosen & (1 << bit) != 0)
                .map(|(_, status)| status)
                .collect();
            let best = came.iter().filter(|status| **status != Failed);
            let best = best.max_by_key(|status| status.code()).copied();
            // Whatever reached the device has not failed.
            let expected = match best {
                Some(Delivered | Read | Played) => best,
                _ if came.contains(&Failed) => Some(Failed),
                best => best,
            };
            for order in orders(&came) {
                let end = order.iter().fold(Accepted, |now, next| now.after(*next));
                assert_eq!(end, expected.unwrap_or(Accepted), "{order:?}");
                // Doubled webhooks change nothing.
                let again = order.iter().fold(end, |now, next| now.after(*next));
                assert_eq!(again, end, "{order:?}");
            }
        }
    }
}
