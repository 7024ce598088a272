//! The end of a doubt by rule, when no receipt came within the grace period (promise 5).

use crate::domain::{OutboxState, Timestamp};
use crate::policy::{Settlement, settle_unknown};
use crate::storage::outbox::{Move, OutboxRow};

/// The stable word of a row that goes out again. `storage::receipts` knows it too, to keep it.
pub(super) const SENT_ONCE_MORE: &str = "sent_once_more";

/// What the rule decided. Both are listed, by
/// [`doubted_all_tenants`](crate::storage::outbox::doubted_all_tenants): the row's reason says so until a late receipt
/// settles it, and for ever once it may have gone out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoubtEnd {
    /// At the risk of a double.
    SentOnceMore,
    /// At the risk of a loss.
    GivenUp,
}

/// A row in doubt whose grace period is over.
pub fn after_doubt(row: &OutboxRow, now: Timestamp) -> (Move, DoubtEnd) {
    let doubts = row.doubts.max(1);
    match settle_unknown(row.draft.class, &row.draft.content, doubts) {
        Settlement::SendOnceMore => {
            let change = Move {
                due_at: now,
                reason: format!("{SENT_ONCE_MORE}: no answer and no receipt came"),
                ..Move::of(row, OutboxState::Queued)
            };
            (change, DoubtEnd::SentOnceMore)
        }
        Settlement::GiveUp => {
            let change = Move {
                reason: "in_doubt: it may have been sent; no receipt came".to_owned(),
                ..Move::of(row, OutboxState::Failed)
            };
            (change, DoubtEnd::GivenUp)
        }
    }
}
