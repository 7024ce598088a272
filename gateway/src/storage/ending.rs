//! When the transaction of a change ends: as soon as the change is made, or together with the answer to whoever asked.
//!
//! A request that may be sent again (`api/idempotency.rs`) must leave the change and its answer, or neither. So its change
//! is handed over here instead of being committed, and whoever answers writes the answer into the same transaction.
//!
//! Between the two the change holds its connection. A request that asks for another one meanwhile waits for somebody else's,
//! and as many of them at once as there are connections wait for each other: what an answer shows is read before its change
//! is handed over.

use std::sync::{Arc, Mutex};

use super::{Result, Tx};
use crate::sync::lock;

tokio::task_local! {
    /// Of the request that this task works on.
    static OF_REQUEST: Ending;
}

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

    /// Works on the request whose change this ends.
    pub async fn around<T>(&self, work: impl Future<Output = T>) -> T {
        OF_REQUEST.scope(self.clone(), work).await
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

/// Whoever is about to take a connection: nobody does who holds one already. Tests find that out with one request, a
/// gateway in service would with as many at once as it has connections, so there it is no error.
pub(super) fn check_no_change_waits() {
    let held = |ending: &Ending| {
        let waiting = ending.0.as_ref();
        waiting.is_some_and(|waiting| lock(waiting).tx.is_some())
    };
    debug_assert!(
        !OF_REQUEST.try_with(held).unwrap_or(false),
        "a request looks into the database after it has handed its change over"
    );
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

#[cfg(test)]
mod tests {
    use super::super::{Db, OpenOptions, open};
    use super::*;

    async fn database() -> (Db, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("v.db").display());
        let db = open(&OpenOptions::new(url)).await.expect("a database");
        (db, folder)
    }

    #[tokio::test]
    #[should_panic(expected = "after it has handed its change over")]
    async fn a_request_that_looks_further_while_its_change_waits_is_found_out() {
        let (db, _folder) = database().await;
        let ending = Ending::with_answer();
        ending
            .around(async {
                let tx = db.begin().await.expect("begun");
                ending.commit(tx).await.expect("handed over");
                drop(db.glance().await);
            })
            .await;
    }

    #[tokio::test]
    async fn who_looks_first_or_ends_the_change_at_once_or_afterwards_is_not() {
        let (db, _folder) = database().await;
        let ending = Ending::with_answer();
        ending
            .around(async {
                drop(db.read().await.expect("read"));
                let tx = db.begin().await.expect("begun");
                ending.commit(tx).await.expect("handed over");
            })
            .await;
        let change = ending.take();
        drop(db.read().await.expect("read"));
        assert!(change.tx.is_some());
        drop(change);
        let at_once = Ending::default();
        at_once
            .around(async {
                let tx = db.begin().await.expect("begun");
                at_once.commit(tx).await.expect("committed");
                drop(db.read().await.expect("read"));
            })
            .await;
    }
}
