//! What the database holds: buckets that are new here are taken over and walked through, then what is due is looked for.

use std::collections::BTreeMap;

use crate::delivery::queue::{Added, Queue, Refill};
use crate::delivery::scan::{self, PAGE};
use crate::domain::{OutboxId, OutboxState, Timestamp, id};
use crate::storage::Result;
use crate::storage::buckets::Lease;
use crate::storage::outbox::OutboxRow;

use super::{Delivery, Done, LOOK_BACK, LOOK_EVERY, SWEEP_EVERY, Scan};

impl Delivery {
    pub(super) fn begin_reading(&mut self) {
        if self.reading {
            return;
        }
        let untaken = self.untaken();
        if !untaken.is_empty() {
            self.take_over(untaken);
        } else if let Some(scan) = self.next_scan() {
            self.read_page(scan);
        } else if let Some(refill) = self.queue.begin_refill() {
            self.reading = true;
            let world = self.world.clone();
            self.tasks
                .spawn(async move { Done::Refilled(refill, scan::number(&world, refill).await) });
        }
    }

    pub(super) fn untaken(&self) -> Vec<Lease> {
        let leases = &self.leases.leases;
        // What is taken is owned, so the counts tell; this is asked at every step.
        if self.taken.len() == leases.len() {
            return Vec::new();
        }
        leases
            .iter()
            .filter(|(bucket, _)| !self.taken.contains(bucket))
            .map(|(&bucket, &epoch)| Lease { bucket, epoch })
            .collect()
    }

    fn take_over(&mut self, leases: Vec<Lease>) {
        self.reading = true;
        let world = self.world.clone();
        self.tasks.spawn(async move {
            let taken = scan::take_over(&world, &leases).await;
            Done::TakenOver(leases, taken)
        });
    }

    /// A walk that has begun, then new buckets, then what is due.
    fn next_scan(&mut self) -> Option<Scan> {
        if self.scan.is_some() {
            return self.scan.take();
        }
        let mut buckets = Vec::new();
        let mut after = 0;
        let first = self.scanned.len() < self.leases.leases.len();
        if first {
            buckets = self.leases.buckets();
            buckets.retain(|bucket| !self.scanned.contains(bucket));
        } else if let Some(from) = self.look_due() {
            buckets = self.leases.buckets();
            after = from;
        }
        (!buckets.is_empty()).then(|| Scan {
            buckets,
            first,
            after: OutboxId::from_raw(after),
            losses: self.losses,
        })
    }

    /// From which id on to look, if it is time to.
    fn look_due(&mut self) -> Option<i64> {
        let now = self.now();
        let sweeps = now.since(self.swept_at) >= SWEEP_EVERY;
        if !sweeps && !self.look_now && now.since(self.looked_at) < LOOK_EVERY {
            return None;
        }
        self.looked_at = now;
        self.look_now = false;
        if sweeps {
            self.swept_at = now;
            return Some(0);
        }
        Some(id::first_id_at(now.minus(LOOK_BACK)))
    }

    fn read_page(&mut self, scan: Scan) {
        self.reading = true;
        let skip = self.queue.behind();
        let world = self.world.clone();
        self.tasks.spawn(async move {
            let rows = scan::page(&world, &scan.buckets, &skip, scan.after).await;
            Done::Scanned(scan, rows)
        });
    }

    pub(super) fn take_taken_over(&mut self, leases: &[Lease], doubts: Result<u64>) {
        self.reading = false;
        match doubts {
            Ok(doubts) => {
                if doubts > 0 {
                    tracing::warn!(doubts, "sends of an owner who is gone are in doubt");
                }
                let ours = leases
                    .iter()
                    .filter(|lease| self.leases.lease(lease.bucket) == Some(**lease));
                self.taken.extend(ours.map(|lease| lease.bucket));
            }
            Err(error) => {
                let under = leases.iter().map(|lease| (lease.bucket, lease.epoch));
                self.failed("take-over", &error, &under.collect());
            }
        }
    }

    pub(super) fn take_scanned(&mut self, mut scan: Scan, rows: Result<Vec<OutboxRow>>) {
        self.reading = false;
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => return self.failed("scan", &error, &BTreeMap::new()),
        };
        let last = rows
            .last()
            .map(|row| row.draft.id)
            .filter(|_| rows.len() >= PAGE);
        for row in rows {
            self.take_found(row, Queue::add_found);
        }
        match last {
            _ if scan.losses != self.losses => {}
            Some(last) => {
                scan.after = last;
                self.scan = Some(scan);
            }
            None if scan.first => self.scanned.extend(scan.buckets),
            None => {}
        }
    }

    /// A row that a scan found; `true`: there was no room for it. A claimed one is under way here.
    pub(super) fn take_found(
        &mut self,
        row: OutboxRow,
        add: impl FnOnce(&mut Queue, OutboxRow, Timestamp) -> Added,
    ) -> bool {
        let now = self.now();
        if !self.taken.contains(&row.bucket) {
            return false;
        }
        self.know(&row, now);
        match row.state {
            OutboxState::Queued => add(&mut self.queue, row, now) == Added::Left,
            OutboxState::Unknown
                if !self.doubts.contains(row.draft.id) && !self.queue.knows(&row) =>
            {
                self.begin_doubt(row, now);
                false
            }
            _ => false,
        }
    }

    pub(super) fn take_refilled(&mut self, refill: Refill, rows: Result<Vec<OutboxRow>>) {
        self.reading = false;
        match rows {
            Ok(rows) => {
                let found = rows.len();
                let mut left = false;
                for row in rows {
                    left |= self.take_found(row, Queue::add_refilled);
                }
                self.queue.end_refill(refill, found, left);
            }
            Err(error) => self.failed("scan", &error, &BTreeMap::new()),
        }
    }

    pub(super) fn take_fresh(&mut self, rows: Vec<OutboxRow>) {
        for number in self.fresh.take_missed() {
            self.queue.miss(number);
        }
        // Nobody offers any more; looking goes on.
        self.fresh_ended = rows.is_empty();
        let now = self.now();
        for row in rows {
            // One that waits for an hour is found when it is due.
            let waits = row.state == OutboxState::Deferred;
            if waits || !self.leases.owns(row.bucket) {
                continue;
            }
            self.know(&row, now);
            if self.scanned.contains(&row.bucket) {
                self.queue.add_fresh(row, now);
            } else {
                self.queue.miss(row.draft.number);
            }
        }
    }

    pub(super) fn know(&mut self, row: &OutboxRow, now: Timestamp) {
        let directory = &self.world.directory;
        let throughput = || {
            directory
                .number(row.draft.number)
                .map_or(1, |number| number.throughput)
        };
        self.queue.know(row, throughput, now);
    }
}
