//! Attaching: bodies that were kept become events of conversations, receipts of sends and consent of people.
//!
//! One task a node, many bodies a transaction, only of buckets that the node owns (the fence says so at commit). All
//! of it can run again: events are known by their keys, receipts by send and status, so a batch that fails is simply
//! read again.

mod batch;
mod consent;
mod people;
mod split;

use std::sync::Arc;
use std::time::Duration;

use siphasher::sip::SipHasher13;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::directory::Directory;
use crate::domain::{Clock, IdGenerator};
use crate::ownership::{Owned, Wakeups};
use crate::storage::events::PendingEvent;
use crate::storage::outbox::OutboxRow;
use crate::storage::raw::{self, RawRow};
use crate::storage::{Db, StorageError};
use crate::telemetry::names;

/// How bodies are attached.
#[derive(Debug, Clone, Copy)]
pub struct AttacherConfig {
    /// Most bodies in one transaction.
    pub most: usize,
    /// How often to look without being woken.
    pub look: Duration,
    /// How long events are known: older messages are stored and start no turn (promise 2).
    pub known_for: Duration,
}

impl Default for AttacherConfig {
    fn default() -> Self {
        Self {
            most: 128,
            look: Duration::from_secs(1),
            known_for: Duration::from_secs(30 * 86_400),
        }
    }
}

/// What a committed batch leaves for others on this node.
#[derive(Debug, Default)]
pub(super) struct Attached {
    /// Messages that wait for their turn, in order.
    pub events: Vec<PendingEvent>,
    /// Confirmations of opt-outs.
    pub sends: Vec<OutboxRow>,
}

/// Who wants to know of messages that were attached.
pub type Received = dyn Fn(&[PendingEvent]) + Send + Sync;

/// The attaching task and what it works with.
pub struct Attacher {
    pub db: Db,
    pub config: AttacherConfig,
    pub directory: Arc<Directory>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdGenerator>,
    /// Keyed, so that nobody outside can make two events look like one.
    pub hasher: SipHasher13,
    pub owned: Owned,
    pub wakeups: Arc<Wakeups>,
    /// Where attached messages go. When it is full they are left to be found in the database.
    pub events: mpsc::Sender<Vec<PendingEvent>>,
    /// Told of committed sends; what it does not take, delivery finds in the database.
    pub sends: Arc<dyn Fn(Vec<OutboxRow>) + Send + Sync>,
    /// Told of the number of every message that was attached: it shares the number's throughput with what is sent.
    pub received: Arc<Received>,
}

/// Why a batch was not committed.
#[derive(Debug, thiserror::Error)]
enum AttachError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Another node made the same contact at the same moment: read again, it is known now.
    #[error("a race for a person was lost")]
    Race,
}

impl Attacher {
    /// Attaches until stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let full = match self.once().await {
                Ok(attached) => attached == self.config.most,
                Err(AttachError::Storage(StorageError::Fenced(bucket))) => {
                    tracing::info!(bucket, "a bucket was lost while its bodies were attached");
                    false
                }
                Err(AttachError::Race) => true,
                Err(AttachError::Storage(error)) => {
                    tracing::error!(error = ?error, "bodies could not be attached; trying again");
                    false
                }
            };
            if stop.is_cancelled() {
                return;
            }
            if !full {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = self.wakeups.raw.notified() => {}
                    changed = self.owned.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(self.config.look) => {}
                }
            }
        }
    }

    /// Attaches one batch; answers how many bodies it held.
    async fn once(&mut self) -> Result<usize, AttachError> {
        let owned = self.owned.borrow_and_update().clone();
        let limit = i64::try_from(self.config.most).unwrap_or(i64::MAX);
        let mut tx = self.db.read().await?;
        let raws = raw::unattached_all_tenants(&mut tx, &owned.buckets(), limit).await?;
        drop(tx);
        if raws.is_empty() {
            return Ok(0);
        }
        let attached = self.attach(&owned, &raws).await?;
        self.hand_on(attached);
        Ok(raws.len())
    }

    async fn attach(
        &self,
        owned: &crate::ownership::OwnedBuckets,
        raws: &[RawRow],
    ) -> Result<Attached, AttachError> {
        let snapshot = self.directory.snapshot();
        let split = split::split(raws, &snapshot, &self.hasher);
        batch::commit(self, owned, raws, split).await
    }

    fn hand_on(&self, attached: Attached) {
        (self.received)(&attached.events);
        (self.sends)(attached.sends);
        if !attached.events.is_empty() && self.events.try_send(attached.events).is_err() {
            metrics::counter!(names::ATTACHED_LEFT).increment(1);
        }
    }
}
