//! When the transaction of a change ends: as soon as the change is made, or together with the answer to whoever asked.
//!
//! A request that may be sent again (`api/idempotency.rs`) must leave the change and its answer, or neither. So its change
//! is handed over here instead of being committed, and whoever answers writes the answer into the same transaction.

use std::sync::{Arc, Mutex};

use super::{Result, Tx};
use crate::sync::lock;

/// Shared by everything that works for one request. By default a change ends at once.
#[derive(Debug, Clone, Default)]
pub struct Ending(Option<Arc<Mutex<Change>>>);

/// A change that is not committed yet.
#[derive(Default)]
pub struct Change {
    /// `None`: nothing was changed.
    pub tx: Option<Tx>,
    then: Vec<Box<dyn FnOnce() + Send>>,
}

impl Ending {
    /// The change waits until its answer is known: [`Ending::take`] it, and end it.
    pub fn with_answer() -> Self {
        Self(Some(Arc::default()))
    }

    /// Commits, now or with the answer. A request makes one change: nothing that comes after this sees it.
    pub async fn commit(&self, tx: Tx) -> Result<()> {
        let Some(waiting) = &self.0 else {
            return tx.commit().await;
        };
        let before = lock(waiting).tx.replace(tx);
        assert!(before.is_none(), "a request makes one change");
        Ok(())
    }

    /// Does something once the change is committed, such as waking whoever works on.
    pub fn then(&self, what: impl FnOnce() + Send + 'static) {
        match &self.0 {
            Some(waiting) => lock(waiting).then.push(Box::new(what)),
            None => what(),
        }
    }

    /// What waits for its answer. Dropped, it never happened.
    pub fn take(&self) -> Change {
        let waiting = self.0.as_ref().map(|waiting| lock(waiting));
        waiting.map_or_else(Change::default, |mut waiting| std::mem::take(&mut *waiting))
    }
}

impl Change {
    /// Says that it is committed.
    pub fn done(self) {
        for what in self.then {
            what();
        }
    }
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change")
            .field("tx", &self.tx)
            .finish_non_exhaustive()
    }
}
