//! The task that keeps this node's slot and its share of the buckets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::share::{Step, View};
use super::{Owned, OwnedBuckets, UnderWay};
use crate::domain::{Clock, IdGenerator, Timestamp};
use crate::storage::buckets::{self, Lease};
use crate::storage::nodes::{self, Leased, LifeLine, Slot};
use crate::storage::{Db, Result, StorageError};
use crate::telemetry::names;

/// How often the table is looked at between renewals. Half of how long a killed node's work stays where it is: nobody
/// is given up at first sight. A guess: a look is three small queries.
const LOOK: Duration = Duration::from_millis(500);

/// How leases are kept.
#[derive(Debug, Clone)]
pub struct KeeperConfig {
    /// This node's name, unique among nodes and their restarts.
    pub holder: String,
    /// How long a slot lasts without renewal. A stopped node's work moves on after this.
    pub ttl: Duration,
    /// How often it is renewed, and how long a bucket that is given up rests at least before it is released.
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
    under_way: UnderWay,
    /// Given up, but perhaps with something under way: ours until they are released.
    leaving: Vec<Leaving>,
    /// Holders that had no life line at the last look.
    suspects: BTreeSet<(u16, String)>,
    /// For how many more looks a missing life line means nothing.
    life_lines_mean_nothing: u32,
}

/// A bucket that nobody here begins anything in any more.
#[derive(Debug, Clone, Copy)]
struct Leaving {
    lease: Lease,
    /// For how many renewals.
    renewals: u32,
}

impl Keeper {
    /// Leases a slot and takes a first share of the buckets. `under_way`: what a bucket that is given up waits for.
    pub async fn start(
        db: Db,
        config: KeeperConfig,
        clock: Arc<dyn Clock>,
        under_way: UnderWay,
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
            life_line: Some(life_line),
            owned,
            under_way,
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
                Err(StorageError::Disk) => {
                    tracing::error!("the disk has failed; the node gives up");
                    break;
                }
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
        self.release_leaving(renews).await?;
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
        let Leased { slot, life_line } = lease(&self.db, &self.config, self.clock.now()).await?;
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
        self.life_line = LifeLine::again(&self.db, self.slot.number).await?;
        tracing::warn!(
            slot = self.slot.number,
            taken = self.life_line.is_some(),
            "the life line broke and is taken again"
        );
        Ok(())
    }

    /// Commits have had the time from one renewal to the next. What is at Meta has its own, but no more than a stopped
    /// node's work would wait: customers wait for what is in the bucket. Until it is known to be done they stay in the
    /// list: a release whose answer is lost is asked for again, and moves nothing the second time.
    async fn release_leaving(&mut self, renews: bool) -> Result<()> {
        let most = self.config.ttl.div_duration_f64(self.config.tick) as u32;
        let mut ready = Vec::new();
        for leaving in &mut self.leaving {
            leaving.renewals += u32::from(renews);
            let busy = self.under_way.is_busy(leaving.lease.bucket);
            if leaving.renewals > 0 && (!busy || leaving.renewals >= most) {
                ready.push(leaving.lease);
            }
        }
        if !ready.is_empty() {
            buckets::release(&self.db, &ready).await?;
            self.leaving
                .retain(|leaving| !ready.contains(&leaving.lease));
        }
        Ok(())
    }

    /// Makes what we believe what the table says, and moves our share towards what it should be.
    async fn balance(&mut self, may_leave: bool) -> Result<()> {
        let mut view = self.view().await?;
        if self.free_the_dead(&view).await? {
            view = self.view().await?;
        }
        self.leaving
            .retain(|leaving| view.ours.contains(&leaving.lease));
        let mut owned = view.ours.clone();
        owned.retain(|lease| !self.leaving.iter().any(|leaving| leaving.lease == *lease));
        match view.step(&owned) {
            Step::Leave(leaving) if may_leave => {
                owned.retain(|lease| !leaving.contains(lease));
                let leaving = leaving.into_iter();
                self.leaving
                    .extend(leaving.map(|lease| Leaving { lease, renewals: 0 }));
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
        let mut tx = self.db.glance().await?;
        let leases = buckets::all(&mut tx).await?;
        let live = nodes::live_slots(&mut tx).await?;
        let held = nodes::held_life_lines(&mut tx).await?;
        let me = (self.slot.number, self.config.holder.as_str());
        let view = View::new(me, leases, live, &held);
        Ok(match self.db.is_sqlite() {
            true => view.alone(),
            false => view,
        })
    }

    /// Whoever's life line is missing at two looks in a row is dead: a node that only lost it takes it again at its own
    /// next look. Answers whether a slot was freed.
    async fn free_the_dead(&mut self, view: &View) -> Result<bool> {
        if self.life_lines_mean_nothing > 0 {
            self.life_lines_mean_nothing -= 1;
            return Ok(false);
        }
        let (dead, suspects): (BTreeSet<_>, BTreeSet<_>) = view
            .silent
            .iter()
            .cloned()
            .partition(|other| self.suspects.contains(other));
        self.suspects = suspects;
        let mut freed = false;
        for (slot, holder) in &dead {
            if nodes::free_slot(&self.db, *slot, holder).await? {
                tracing::info!(
                    slot,
                    holder,
                    "a session is gone; its slot is free and its work is taken over"
                );
                freed = true;
            }
        }
        Ok(freed)
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
