//! The sealer: gives what was told its numbers, on the one node that owns the first bucket, ten times a second.
//!
//! One node seals for everybody: a batch of a hundred milliseconds costs it one short transaction, however many events
//! it holds. Its lease is that of an ordinary bucket, so when the node is lost another one goes on within the same time.
//! Every node looks for what was sealed, wherever that was, and wakes its own followers.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::domain::{Bucket, Clock, IdGenerator};
use crate::ownership::Owned;
use crate::storage::stream::{self, News};
use crate::storage::{Db, Result, StorageError};

/// How long an event waits for its number. A guess: an inbox does not notice it, and a busy node seals hundreds at once.
const EVERY: Duration = Duration::from_millis(100);

/// Moves whenever events were sealed: its value is the newest block.
pub type Sealed = watch::Receiver<i64>;

/// The sealing task.
pub struct Sealer {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<IdGenerator>,
    owned: Owned,
    newest: watch::Sender<i64>,
}

impl Sealer {
    pub fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        ids: Arc<IdGenerator>,
        owned: Owned,
    ) -> (Self, Sealed) {
        let (newest, sealed) = watch::channel(0);
        let sealer = Self {
            db,
            clock,
            ids,
            owned,
            newest,
        };
        (sealer, sealed)
    }

    /// Seals and looks until stopped.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            match self.once().await {
                Ok(()) => {}
                Err(StorageError::Fenced(_)) => tracing::info!("another node seals events now"),
                Err(error) => {
                    tracing::warn!(error = ?error, "events were not sealed; trying again")
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }

    async fn once(&self) -> Result<()> {
        let lease = Bucket::all()
            .next()
            .and_then(|first| self.owned.borrow().lease(first));
        let mut news = self.news().await?;
        if let Some(lease) = lease
            && news.waits
        {
            let next_id = || self.ids.next(self.clock.now());
            // Not until nothing waits: something always does on a busy node, and every sealing is a commit of its own.
            while stream::seal_all_tenants(&self.db, lease, next_id).await? {}
            news = self.news().await?;
        }
        if let Some(newest) = news.newest {
            self.newest.send_replace(newest);
        }
        Ok(())
    }

    async fn news(&self) -> Result<News> {
        let last = *self.newest.borrow();
        let mut tx = self.db.glance().await?;
        stream::news_all_tenants(&mut tx, last).await
    }
}
