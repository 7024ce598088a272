//! Rows that may go: claimed together, then called one by one.

use std::time::Duration;

use crate::delivery::call::call;
use crate::delivery::claim::{Outcome, claim};
use crate::domain::{OutboxId, Timestamp};
use crate::ownership::OwnedBuckets;
use crate::policy::Reason;
use crate::storage::Result;
use crate::storage::outbox::OutboxRow;

use super::{Delivery, Done, trace};

/// Claims begin so far apart. The sends of a number that is at its throughput come due one by one, a thousand a second: each in a
/// transaction of its own is half of SQLite's writer. What comes alone does not wait.
const APART: Duration = Duration::from_millis(5);

impl Delivery {
    pub(super) fn may_claim(&self) -> bool {
        !self.claiming && !self.claimed_lately
    }

    pub(super) fn begin_claim(&mut self) {
        let most = self.room().min(self.world.config.claim_rows);
        // What is claimed before a take-over would look like the former owner's.
        if !self.may_claim() || most == 0 || !self.untaken().is_empty() {
            return;
        }
        // What was given up a moment ago waits for what is under way in it, not for what would only begin now.
        if self.owned.has_changed().unwrap_or(false) {
            self.own();
        }
        let now = self.now();
        self.charge_received(now);
        let rows = self.queue.pick(now, most);
        if rows.is_empty() {
            return;
        }
        (self.claiming, self.claimed_lately) = (true, true);
        self.say_after(APART, Done::MayClaim);
        self.under_way += rows.len();
        let (world, leases) = (self.world.clone(), self.leases.clone());
        let far = self.far_from_limits.clone();
        let under_way = rows.iter().map(|row| world.under_way.begin(row.bucket));
        let under_way: Vec<_> = under_way.collect();
        let unsure = rows.iter().map(|row| row.draft.id);
        let unsure: Vec<OutboxId> = unsure.filter(|id| self.unsure.contains_key(id)).collect();
        self.tasks.spawn(async move {
            let outcome = claim(&world, &far, &leases, rows.clone(), &unsure).await;
            drop(under_way);
            Done::Claimed(rows, leases, outcome)
        });
    }

    pub(super) fn charge_received(&mut self, now: Timestamp) {
        for (number, messages) in self.fresh.take_received() {
            self.queue.charge(number, messages, now);
        }
    }

    pub(super) fn take_claimed(
        &mut self,
        rows: Vec<OutboxRow>,
        under: &OwnedBuckets,
        outcome: Result<Outcome>,
    ) {
        self.claiming = false;
        let now = self.now();
        match outcome {
            Ok(outcome) => {
                rows.iter().for_each(|row| {
                    self.unsure.remove(&row.draft.id);
                });
                self.take_outcome(outcome, now);
            }
            Err(error) => {
                self.under_way -= rows.len();
                for row in rows {
                    // The commit may have happened although its answer was an error.
                    self.unsure.insert(row.draft.id, row.bucket);
                    self.queue.unspend(&row);
                    self.queue.put_back(row, now);
                }
                self.failed("claim", &error, &under.leases);
            }
        }
    }

    fn take_outcome(&mut self, outcome: Outcome, now: Timestamp) {
        let (later, paced) = (outcome.later, outcome.paced);
        let deferred = outcome.deferred;
        self.under_way -= later.len() + deferred.len() + paced.len();
        self.under_way -= outcome.ended.len() + outcome.gone.len();
        // Found again when they are due (`waking`).
        for row in deferred {
            self.queue.unspend(&row);
            self.queue.forget(&row, now);
        }
        for row in later {
            self.queue.unspend(&row);
            if row.reason == Reason::IngestBacklog.code() {
                self.queue.hold_begins(row.draft.number, row.due_at);
            }
            self.queue.put_back(row, now);
        }
        for (row, until) in paced {
            self.queue.unspend(&row);
            self.queue.pace(row, until, now);
        }
        for row in outcome.gone {
            self.queue.unspend(&row);
            self.queue.forget(&row, now);
        }
        for row in outcome.ended {
            tracing::info!(outbox = %row.draft.id, state = row.state.word(), reason = row.reason, "not sent");
            self.queue.unspend(&row);
            self.world.observer.sent(&trace(&row, None));
            self.queue.forget(&row, now);
        }
        for claimed in outcome.claimed {
            let world = self.world.clone();
            self.tasks
                .spawn(async move { Done::Answered(call(&world, claimed).await) });
        }
    }
}
