//! The task that keeps this node's slot and its share of the buckets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::share::{Step, View};
use super::{Owned, OwnedBuckets};
use crate::domain::{Clock, IdGenerator};
use crate::storage::buckets::{self, Lease};
use crate::storage::nodes::{self, LifeLine, Slot};
use crate::storage::{Db, Result, StorageError};
use crate::telemetry::names;

/// How often the table is looked at between renewals. Half of how long a killed node's work stays where it is: nobody
/// is given up at first sight. A guess: a look is three small queries.
const LOOK: Duration = Duration::from_millis(500);

/// Slots that are tried, when others take them at the same moment.
const ATTEMPTS: usize = 10;

/// How leases are kept.
#[derive(Debug, Clone)]
pub struct KeeperConfig {
    /// This node's name, unique among nodes and their restarts.
    pub holder: String,
    /// How long a slot lasts without renewal. A stopped node's work moves on after this.
    pub ttl: Duration,
    /// How often it is renewed, and how long a bucket that is given up waits for what is under way in it.
    pub tick: Duration,
}

/// Keeps one node's slot and leases. Made by [`Keeper::start`], driven by [`Keeper::run`].
pub struct Keeper {
    db: Db,
    config: KeeperConfig,
    clock: Arc<dyn Clock>,
    ids: Arc<IdGenerator>,
    slot: Slot,
    /// `None`: it broke, and its old session still stands at the database's end.
    life_line: Option<LifeLine>,
    owned: watch::Sender<Arc<OwnedBuckets>>,
    /// Given up, but perhaps with a commit under way: released at the next renewal, and ours until then.
    leaving: Vec<Lease>,
    /// Nodes that had no life line at the last look.
    suspects: BTreeSet<(i64, String)>,
    /// For how many more looks a missing life line means nothing.
    life_lines_mean_nothing: u32,
}

impl Keeper {
    /// Leases a slot and takes a first share of the buckets.
    pub async fn start(
        db: Db,
        config: KeeperConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Arc<IdGenerator>, Owned)> {
        let (slot, life_line) = lease(&db, &config).await?;
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
            life_line: Some(life_line),
            owned,
            leaving: Vec::new(),
            suspects: BTreeSet::new(),
            life_lines_mean_nothing: 0,
        };
        keeper.balance(true).await?;
        Ok((keeper, ids, view))
    }

    /// Keeps going until stopped, then gives everything back.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut renewals = every(self.config.tick);
        let mut looks = every(LOOK);
        // Alone, there is nothing to see between renewals.
        let alone = self.db.is_sqlite();
        let mut due = false;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = renewals.tick() => due = true,
                _ = looks.tick(), if !alone => {}
            }
            match self.look(due).await {
                Ok(()) => due = false,
                Err(error) => tracing::warn!(%error, "leases could not be kept; trying again"),
            }
        }
        self.publish(OwnedBuckets::default());
        let freed = nodes::free_slot(&self.db, self.slot.number, &self.config.holder).await;
        if let Err(error) = freed {
            tracing::warn!(%error, "leases were not given back; they run out by themselves");
        }
    }

    async fn look(&mut self, renews: bool) -> Result<()> {
        if renews && !self.renew().await? {
            return self.begin_again().await;
        }
        self.keep_life_line().await?;
        if renews {
            self.release_leaving().await?;
        }
        self.balance(renews).await
    }

    async fn renew(&self) -> Result<bool> {
        // The floor lies ahead of every id that can be made before the next renewal.
        let floor = self
            .ids
            .high_water()
            .max(self.clock.now())
            .plus(2 * self.config.ttl);
        let (slot, holder) = (self.slot.number, &self.config.holder);
        nodes::renew_slot(&self.db, slot, holder, self.config.ttl, floor).await
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
        let (slot, life_line) = lease(&self.db, &self.config).await?;
        self.ids
            .rebase(slot.number, slot.id_floor.max(self.clock.now()));
        (self.slot, self.life_line) = (slot, Some(life_line));
        self.balance(true).await
    }

    /// What broke our life line (a restart of PostgreSQL, a network) has probably broken everybody's: until each had the
    /// time to take it again, only leases tell who lives.
    async fn keep_life_line(&mut self) -> Result<()> {
        if let Some(line) = &mut self.life_line
            && tokio::time::timeout(self.config.tick, line.holds()).await == Ok(true)
        {
            return Ok(());
        }
        self.life_line = None;
        self.suspects.clear();
        let looks = self.config.ttl.as_millis() / LOOK.as_millis();
        self.life_lines_mean_nothing = u32::try_from(looks).unwrap_or(u32::MAX);
        self.life_line = nodes::hold_life_line(&self.db, self.slot.number).await?;
        tracing::warn!(
            slot = self.slot.number,
            taken = self.life_line.is_some(),
            "the life line broke and is taken again"
        );
        Ok(())
    }

    /// Until it is known to be done they stay in the list: a release whose answer is lost is asked for again, and moves
    /// nothing the second time.
    async fn release_leaving(&mut self) -> Result<()> {
        if !self.leaving.is_empty() {
            buckets::release(&self.db, &self.leaving).await?;
            self.leaving.clear();
        }
        Ok(())
    }

    /// Makes what we believe what the table says, and moves our share towards what it should be.
    async fn balance(&mut self, may_leave: bool) -> Result<()> {
        let mut view = self.view().await?;
        if self.free_the_dead(&view).await? {
            view = self.view().await?;
        }
        self.leaving.retain(|lease| view.ours.contains(lease));
        let mut owned = view.ours.clone();
        owned.retain(|lease| !self.leaving.contains(lease));
        match view.step(&owned) {
            Step::Leave(leaving) if may_leave => {
                owned.retain(|lease| !leaving.contains(lease));
                self.leaving.extend(leaving);
            }
            Step::Take(most) => owned.extend(self.take(most).await?),
            Step::Keep | Step::Leave(_) => {}
        }
        let leases: BTreeMap<_, _> = owned
            .into_iter()
            .map(|lease| (lease.bucket, lease.epoch))
            .collect();
        self.publish(OwnedBuckets { leases });
        Ok(())
    }

    async fn take(&self, most: usize) -> Result<Vec<Lease>> {
        buckets::take(&self.db, self.slot.number, &self.config.holder, most).await
    }

    async fn view(&self) -> Result<View> {
        let mut tx = self.db.read().await?;
        let leases = buckets::all(&mut tx).await?;
        let live = nodes::live_slots(&mut tx).await?;
        let held = nodes::held_life_lines(&mut tx).await?;
        let me = (i64::from(self.slot.number), self.config.holder.as_str());
        let view = View::new(me, leases, live, &held);
        Ok(match self.db.is_sqlite() {
            true => view.alone(),
            false => view,
        })
    }

    /// A node whose life line is missing at two looks in a row is dead: one that only lost it takes it again at its own
    /// next look. Answers whether there was one.
    async fn free_the_dead(&mut self, view: &View) -> Result<bool> {
        if self.life_lines_mean_nothing > 0 {
            self.life_lines_mean_nothing -= 1;
            return Ok(false);
        }
        let (dead, suspects): (BTreeSet<_>, BTreeSet<_>) = view
            .silent
            .iter()
            .cloned()
            .partition(|node| self.suspects.contains(node));
        self.suspects = suspects;
        for (slot, holder) in &dead {
            tracing::info!(
                slot,
                holder,
                "a node's session is gone; its work is taken over"
            );
            let slot = u16::try_from(*slot).unwrap_or(u16::MAX);
            nodes::free_slot(&self.db, slot, holder).await?;
        }
        Ok(!dead.is_empty())
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

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// The life line is taken before the node joins, so that nobody sees a working node without one.
async fn lease(db: &Db, config: &KeeperConfig) -> Result<(Slot, LifeLine)> {
    for _ in 0..ATTEMPTS {
        let slot = nodes::lease_slot(db, &config.holder, config.ttl).await?;
        let slot =
            slot.ok_or_else(|| StorageError::Corrupt("every node slot is taken".to_owned()))?;
        if let Some(life_line) = nodes::hold_life_line(db, slot.number).await?
            && nodes::join(db, slot.number, &config.holder).await?
        {
            return Ok((slot, life_line));
        }
        // Somebody who stands still has its life line, or it ran out meanwhile: it is left to run out.
        tracing::warn!(
            slot = slot.number,
            "a node slot could not be kept; trying another"
        );
    }
    Err(StorageError::Corrupt(
        "no node slot could be kept".to_owned(),
    ))
}
