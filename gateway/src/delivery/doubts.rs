//! Sends in doubt on this node, and how much of their grace period is over. Pure: time is given.
//!
//! Grace counts only while a receipt could have reached us: while ingest is down, or behind with bodies of the number, silence
//! means nothing (promise 5); nor while this process stood still (stopped, its machine suspended), which shows as a long
//! time between two counts. After a restart it begins anew, which only makes a decision later.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::domain::{Bucket, NumberId, OutboxId, Timestamp};
use crate::storage::outbox::OutboxRow;

use super::engine::LOOK_EVERY;

/// What one count may add. Twice the time between two: a busy machine counts late, a stopped one not at all.
const MOST_AT_ONCE: Duration = LOOK_EVERY.saturating_mul(2);

#[derive(Debug)]
struct Doubt {
    row: OutboxRow,
    waited: Duration,
    /// Its conversation waits for it until then.
    holds_until: Timestamp,
}

/// All doubts of the buckets that we own.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    rows: HashMap<OutboxId, Doubt>,
    counted_at: Option<Timestamp>,
}

impl Doubts {
    pub(super) fn add(&mut self, row: OutboxRow, holds_until: Timestamp) {
        let id = row.draft.id;
        let doubt = Doubt {
            row,
            waited: Duration::ZERO,
            holds_until,
        };
        self.rows.entry(id).or_insert(doubt);
    }

    pub(super) fn remove(&mut self, id: OutboxId) -> Option<OutboxRow> {
        self.rows.remove(&id).map(|doubt| doubt.row)
    }

    pub(super) fn contains(&self, id: OutboxId) -> bool {
        self.rows.contains_key(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn drop_buckets(&mut self, lost: &BTreeSet<Bucket>) {
        self.rows
            .retain(|_, doubt| !lost.contains(&doubt.row.bucket));
    }

    /// Lets the time since the last call count, up to [`MOST_AT_ONCE`], for the numbers whose `receipts_come`.
    pub(super) fn count(&mut self, now: Timestamp, receipts_come: impl Fn(NumberId) -> bool) {
        let passed = self
            .counted_at
            .replace(now)
            .map_or(Duration::ZERO, |last| now.since(last))
            .min(MOST_AT_ONCE);
        for doubt in self.rows.values_mut() {
            if receipts_come(doubt.row.draft.number) {
                doubt.waited += passed;
            }
        }
    }

    /// Those whose grace is over.
    pub(super) fn over(&self, grace: Duration) -> Vec<OutboxRow> {
        let over = |doubt: &&Doubt| doubt.waited >= grace;
        self.rows
            .values()
            .filter(over)
            .map(|doubt| doubt.row.clone())
            .collect()
    }

    /// Those that somebody waits for: worth asking the database whether a receipt has come.
    pub(super) fn holding(&self, now: Timestamp) -> Vec<OutboxId> {
        let holding = |doubt: &&Doubt| now < doubt.holds_until;
        self.rows
            .values()
            .filter(holding)
            .map(|doubt| doubt.row.draft.id)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::fixture::row;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_795_000_000 + secs)
    }

    /// As the engine does: once a second.
    fn count(doubts: &mut Doubts, from: i64, to: i64, receipts_come: bool) {
        for second in from..=to {
            doubts.count(at(second), |_| receipts_come);
        }
    }

    const GRACE: Duration = Duration::from_secs(60);

    #[test]
    fn grace_counts_only_while_receipts_come() {
        let mut doubts = Doubts::default();
        doubts.count(at(0), |_| true);
        doubts.add(row(1, 1), at(30));
        count(&mut doubts, 1, 40, true);
        count(&mut doubts, 41, 400, false);
        assert!(doubts.over(GRACE).is_empty());
        count(&mut doubts, 401, 419, true);
        assert!(doubts.over(GRACE).is_empty());
        doubts.count(at(420), |_| true);
        assert_eq!(doubts.over(GRACE).len(), 1);
    }

    #[test]
    fn the_backlog_of_one_number_stops_the_grace_of_that_one_only() {
        let mut doubts = Doubts::default();
        doubts.count(at(0), |_| true);
        let (mut late, other) = (row(1, 1), row(2, 2));
        late.draft.number = NumberId::from_raw(other.draft.number.raw() + 1);
        doubts.add(late.clone(), at(30));
        doubts.add(other.clone(), at(30));
        for second in 1..=60 {
            doubts.count(at(second), |number| number != late.draft.number);
        }
        let over: Vec<OutboxId> = doubts.over(GRACE).iter().map(|row| row.draft.id).collect();
        assert_eq!(over, [other.draft.id]);
    }

    #[test]
    fn grace_does_not_run_while_the_process_stands_still() {
        let mut doubts = Doubts::default();
        doubts.count(at(0), |_| true);
        doubts.add(row(1, 1), at(30));
        doubts.count(at(3_600), |_| true);
        assert!(doubts.over(GRACE).is_empty());
        count(&mut doubts, 3_601, 3_657, true);
        assert!(doubts.over(GRACE).is_empty());
        doubts.count(at(3_658), |_| true);
        assert_eq!(doubts.over(GRACE).len(), 1);
    }

    #[test]
    fn a_doubt_is_asked_about_while_it_holds_its_conversation() {
        let mut doubts = Doubts::default();
        doubts.add(row(1, 1), at(30));
        assert_eq!(doubts.holding(at(29)).len(), 1);
        assert!(doubts.holding(at(30)).is_empty());
    }
}
