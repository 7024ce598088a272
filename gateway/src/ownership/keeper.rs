//! The task that keeps this node's slot and its share of the buckets.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Owned, OwnedBuckets};
use crate::domain::bucket::BUCKETS;
use crate::domain::{Clock, IdGenerator, Timestamp};
use crate::storage::buckets::{self, Lease};
use crate::storage::nodes::{self, Leased, LifeLine, Slot};
use crate::storage::{Db, Result, StorageError};
use crate::telemetry::names;

/// How leases are kept.
#[derive(Debug, Clone)]
pub struct KeeperConfig {
    /// This node's name, unique among nodes and their restarts.
    pub holder: String,
    /// How long a slot lasts without renewal. A stopped node's work moves on after this.
    pub ttl: Duration,
    /// How often it is renewed and the share looked at.
    pub tick: Duration,
}

/// Keeps one node's slot and leases. Made by [`Keeper::start`], driven by [`Keeper::run`].
pub struct Keeper {
    db: Db,
    config: KeeperConfig,
    clock: Arc<dyn Clock>,
    ids: Arc<IdGenerator>,
    slot: Slot,
    life_line: Option<LifeLine>,
    owned: watch::Sender<Arc<OwnedBuckets>>,
    /// Given up, but perhaps with a commit under way: released at the next tick.
    leaving: Vec<Lease>,
}

impl Keeper {
    /// Leases a slot and takes a first share of the buckets.
    pub async fn start(
        db: Db,
        config: KeeperConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Arc<IdGenerator>, Owned)> {
        let Leased { slot, life_line } = lease(&db, &config, clock.now()).await?;
        let ids = Arc::new(IdGenerator::new(
            slot.number,
            slot.id_floor.max(clock.now()),
        ));
        let (owned, view) = watch::channel(Arc::default());
        let mut keeper = Self {
            db,
            config,
            clock,
            ids: ids.clone(),
            slot,
            life_line,
            owned,
            leaving: Vec::new(),
        };
        keeper.balance().await?;
        Ok((keeper, ids, view))
    }

    /// Keeps going until stopped, then gives everything back.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(self.config.tick) => {}
            }
            if let Err(error) = self.tick().await {
                tracing::warn!(%error, "leases could not be kept; trying again");
            }
        }
        self.publish(OwnedBuckets::default());
        let freed = nodes::free_slot(&self.db, self.slot.number, &self.config.holder).await;
        if let Err(error) = freed {
            tracing::warn!(%error, "leases were not given back; they run out by themselves");
        }
    }

    async fn tick(&mut self) -> Result<()> {
        // The floor lies ahead of every id that can be made before the next renewal.
        let floor = self
            .ids
            .high_water()
            .max(self.clock.now())
            .plus(2 * self.config.ttl);
        let (slot, holder) = (self.slot.number, &self.config.holder);
        if !nodes::renew_slot(&self.db, slot, holder, self.config.ttl, floor).await? {
            return self.begin_again().await;
        }
        self.balance().await
    }

    /// The slot ran out while we did not look (a stopped process, a cut network): all is somebody else's by now.
    async fn begin_again(&mut self) -> Result<()> {
        tracing::warn!(
            slot = self.slot.number,
            "the node's lease ran out; beginning again with a new one"
        );
        metrics::counter!(names::LEASES_LOST).increment(1);
        self.publish(OwnedBuckets::default());
        self.leaving.clear();
        self.life_line = None;
        let Leased { slot, life_line } = lease(&self.db, &self.config, self.clock.now()).await?;
        self.ids
            .rebase(slot.number, slot.id_floor.max(self.clock.now()));
        (self.slot, self.life_line) = (slot, life_line);
        self.balance().await
    }

    async fn balance(&mut self) -> Result<()> {
        let leaving = std::mem::take(&mut self.leaving);
        if !leaving.is_empty() {
            buckets::release(&self.db, &leaving).await?;
        }
        self.free_the_dead().await?;
        let nodes = self.count_nodes().await?;
        let share = usize::from(BUCKETS).div_ceil(nodes);
        let mut owned = (**self.owned.borrow()).clone();
        if owned.leases.len() > share {
            self.leaving = owned
                .leases
                .iter()
                .skip(share)
                .map(|(&bucket, &epoch)| Lease { bucket, epoch })
                .collect();
            owned
                .leases
                .retain(|bucket, _| !self.leaving.iter().any(|lease| lease.bucket == *bucket));
        } else if owned.leases.len() < share {
            let taken =
                buckets::take(&self.db, self.slot.number, share - owned.leases.len()).await?;
            owned
                .leases
                .extend(taken.into_iter().map(|lease| (lease.bucket, lease.epoch)));
        }
        self.publish(owned);
        Ok(())
    }

    async fn free_the_dead(&self) -> Result<()> {
        if self.db.is_sqlite() {
            return Ok(());
        }
        let mut tx = self.db.read().await?;
        let live = nodes::live_slots(&mut tx).await?;
        drop(tx);
        for other in live {
            if other.number == self.slot.number {
                continue;
            }
            if nodes::is_dead(&self.db, other.number).await?
                && nodes::free_slot(&self.db, other.number, &other.holder).await?
            {
                tracing::info!(
                    slot = other.number,
                    holder = other.holder,
                    "a session is gone; its slot is free and its work is taken over"
                );
            }
        }
        Ok(())
    }

    async fn count_nodes(&self) -> Result<usize> {
        if self.db.is_sqlite() {
            return Ok(1);
        }
        let mut tx = self.db.read().await?;
        // A verb of the command line takes no share: what was left for it nobody would work on.
        let live = nodes::live_slots(&mut tx).await?;
        Ok(live.iter().filter(|slot| slot.is_node()).count().max(1))
    }

    fn publish(&self, owned: OwnedBuckets) {
        metrics::gauge!(names::BUCKETS_OWNED).set(owned.leases.len() as f64);
        self.owned.send_if_modified(|current| {
            let changed = **current != owned;
            if changed {
                *current = Arc::new(owned);
            }
            changed
        });
    }
}

/// Before the slot is used its floor is put ahead of every id that can be made until the first renewal: even if the slot
/// is taken for a dead node's until then, its next holder makes no id twice.
async fn lease(db: &Db, config: &KeeperConfig, now: Timestamp) -> Result<Leased> {
    let leased = nodes::lease_slot(db, &config.holder, config.ttl).await?;
    let leased =
        leased.ok_or_else(|| StorageError::Corrupt("every node slot is taken".to_owned()))?;
    let floor = leased.slot.id_floor.max(now).plus(2 * config.ttl);
    let slot = leased.slot.number;
    if !nodes::renew_slot(db, slot, &config.holder, config.ttl, floor).await? {
        return Err(StorageError::Corrupt(format!(
            "node slot {slot} was lost at once"
        )));
    }
    Ok(leased)
}
