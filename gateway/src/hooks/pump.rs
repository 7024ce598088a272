//! Finds endpoints that have work, of the buckets that this node owns, and gives each a task of its own.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::round;
use crate::directory::Directory;
use crate::domain::{Bucket, Clock, HookId, IdGenerator, NumberId, TenantId};
use crate::egress::Egress;
use crate::events::Sealed;
use crate::ownership::Owned;
use crate::secrets::Keyring;
use crate::storage::{Db, Result, hooks};
use crate::sync;

/// What the pump works with.
#[derive(Clone)]
pub struct PumpParts {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdGenerator>,
    pub directory: Arc<Directory>,
    pub keyring: Arc<Keyring>,
    pub owned: Owned,
    pub egress: Egress,
    /// An event that fails for so long is a dead letter.
    pub retry_for: Duration,
}

/// The pump's task.
pub struct Pump {
    parts: PumpParts,
    sealed: Sealed,
    busy: HashSet<HookId>,
}

/// How often to look without news: what is to be tried again has no other bell.
const LOOK: Duration = Duration::from_secs(1);
/// After news, for more of it to come: one look serves all.
const GATHER: Duration = Duration::from_millis(20);
/// Endpoints found in one look.
const FOUND: i64 = 1000;

/// The bucket whose owner serves an endpoint.
pub(super) fn bucket(id: HookId) -> Bucket {
    Bucket::of(NumberId::from_raw(id.raw()))
}

impl Pump {
    pub fn new(parts: PumpParts, sealed: Sealed) -> Self {
        Self {
            parts,
            sealed,
            busy: HashSet::new(),
        }
    }

    /// Delivers until stopped, then drops what is under way: it is sent again by whoever comes next.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut rounds = JoinSet::new();
        let mut look = true;
        loop {
            if std::mem::take(&mut look) {
                match self.find().await {
                    Ok(found) => found.into_iter().for_each(|(tenant, id)| {
                        self.busy.insert(id);
                        let parts = self.parts.clone();
                        rounds.spawn(async move { (id, round::all(&parts, tenant, id).await) });
                    }),
                    Err(error) => {
                        tracing::warn!(error = ?error, "endpoints with work were not found; trying again")
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                Some(ended) = rounds.join_next() => self.ended(ended),
                changed = self.sealed.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    tokio::time::sleep(GATHER).await;
                    look = true;
                }
                () = tokio::time::sleep(LOOK) => look = true,
            }
        }
    }

    async fn find(&mut self) -> Result<Vec<(TenantId, HookId)>> {
        let mut tx = self.parts.db.glance().await?;
        let now = self.parts.clock.now();
        let found = hooks::with_work_all_tenants(&mut tx, now, FOUND).await?;
        let owned = self.parts.owned.borrow().clone();
        let ours = found
            .into_iter()
            .filter(|(_, id)| owned.owns(bucket(*id)) && !self.busy.contains(id));
        Ok(ours.collect())
    }

    fn ended(&mut self, ended: Result<(HookId, Result<()>), tokio::task::JoinError>) {
        // A bug in a round ends the node, which says what it was. None is cancelled before the pump ends.
        let Some((id, result)) = sync::joined(ended) else {
            return;
        };
        self.busy.remove(&id);
        if let Err(error) = result {
            tracing::warn!(hook = %id, error = ?error, "a round of deliveries was not recorded");
        }
    }
}
