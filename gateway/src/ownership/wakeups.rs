//! "There is work": between tasks of one process, and between nodes by PostgreSQL's NOTIFY.
//!
//! A hint, never the truth: everybody also looks about once a second. NOTIFY takes a global lock at commit, so it is
//! sent outside of every transaction that does work, and at most once per [`COALESCE`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::storage::notify::SETUP_CHANGED;
use crate::storage::{self, Db};

const COALESCE: Duration = Duration::from_millis(5);

/// What is said between nodes: a body waits to be attached.
const RAW: &str = "raw";
/// A send was committed by a node that does not own its bucket.
const SENDS: &str = "sends";

/// One bell for every kind of work.
#[derive(Debug, Default)]
pub struct Wakeups {
    /// A body waits to be attached.
    pub raw: Notify,
    /// Look for sends now. Turns and confirmations are committed by whoever owns their bucket and handed to its own
    /// delivery; what people and clients write may be committed anywhere, and rings here. So do tests that stand time still.
    pub outbox: Notify,
    /// Setup changed: caches are stale. Shared with whoever changes it in this process.
    pub setup: Arc<Notify>,
    /// A body waits for another node: tell everybody.
    elsewhere: Notify,
    /// A send does.
    sends_elsewhere: Notify,
}

impl Wakeups {
    /// A body of a bucket that is not ours was written.
    pub fn raw_elsewhere(&self) {
        self.elsewhere.notify_one();
    }

    /// A send of a bucket that is not ours was written.
    pub fn sends_elsewhere(&self) {
        self.sends_elsewhere.notify_one();
    }

    /// Carries bells between nodes until stopped. On SQLite there is nobody else.
    pub async fn carry(self: Arc<Self>, db: Db, stop: CancellationToken) {
        if db.is_sqlite() {
            return;
        }
        let listen = self.clone().listen(db.clone(), stop.clone());
        tokio::join!(listen, self.send(db, stop));
    }

    async fn send(&self, db: Db, stop: CancellationToken) {
        loop {
            let word = tokio::select! {
                () = stop.cancelled() => return,
                () = self.elsewhere.notified() => RAW,
                () = self.sends_elsewhere.notified() => SENDS,
            };
            if let Err(error) = storage::notify::send(&db, word).await {
                tracing::debug!(%error, "other nodes were not woken; they look by themselves");
            }
            tokio::time::sleep(COALESCE).await;
        }
    }

    async fn listen(self: Arc<Self>, db: Db, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let heard = storage::notify::listen(&db, |word| self.ring(word));
            tokio::select! {
                () = stop.cancelled() => return,
                ended = heard => if let Err(error) = ended {
                    tracing::warn!(%error, "not listening for other nodes; trying again");
                }
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    fn ring(&self, word: &str) {
        // A newer node may know more words.
        match word {
            RAW => self.raw.notify_one(),
            SENDS => self.outbox.notify_one(),
            SETUP_CHANGED => self.setup.notify_one(),
            _ => {}
        }
    }
}
