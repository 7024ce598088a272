//! Sends that are claimed in the commit that writes them: an answer to somebody who just wrote, as a rule.
//!
//! Whoever commits turns asks delivery which of their sends may be under way from here on (no other of the conversation
//! is, the number has room), decides on those again within the commit, with the people's consent locked, and says what
//! became of them. The claim that follows a commit, with the transaction and the rows that it writes again, is saved;
//! what may not go at once is queued and goes that way.

use std::collections::HashSet;

use futures::future::BoxFuture;

use crate::domain::{OutboxId, Timestamp};
use crate::storage::buckets::Lease;
use crate::storage::outbox::OutboxRow;
use crate::storage::people::Consents;
use crate::storage::{Result, Tx};

/// Who lets sends go at once.
pub trait AtOnce: Send + Sync {
    /// Asks for these, at most one of a conversation. Those that may go count as under way until the answer is settled
    /// or dropped.
    fn reserve(&self, rows: Vec<OutboxRow>) -> BoxFuture<'_, Box<dyn Reserved>>;
}

/// Sends that may go with the commit that writes them. Dropped without [`Reserved::committed`], nobody knows whether
/// they were written: they were not called.
pub trait Reserved: Send + Sync {
    fn rows(&self) -> &[OutboxRow];

    /// Decides on the rows among `written`, in the transaction that writes them under these leases. The consent rows of
    /// their people and their conversations are locked.
    fn claim<'a>(
        &'a mut self,
        tx: &'a mut Tx,
        written: &'a HashSet<OutboxId>,
        under: &'a [Lease],
        consent: &'a Consents,
    ) -> BoxFuture<'a, Result<Vec<Going>>>;

    /// The transaction is committed, and lasts: what was claimed is called, what was only written is queued, the rest is forgotten.
    fn committed(self: Box<Self>);
}

/// A send that goes: it is to be written as claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Going {
    pub id: OutboxId,
    pub at: Timestamp,
    /// The conversation's pair debt with it, if it costs any.
    pub debt: Option<Timestamp>,
}
