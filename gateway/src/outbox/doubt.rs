//! The end of a doubt by rule, when no receipt came within the grace period (promise 5).

use crate::domain::{OutboxState, Timestamp};
use crate::policy::{Settlement, settle_unknown};
use crate::storage::outbox::{Move, OutboxRow};

/// What the rule decided. Both are counted, and the row's reason says so until an answer or a late receipt settles it;
/// its doubts stay.
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
                reason: "sent_once_more: no answer and no receipt came".to_owned(),
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
