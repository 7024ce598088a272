//! Which bodies wait, and whose is next: buckets take turns, so that a flood for one number keeps nobody else's waiting.
//!
//! Ids are read ahead of the bodies, from where the last reading ended. A body can be committed after one with a later id
//! was read: while few wait, what is young is read again each time ([`YOUNG`]); every look, and while many wait always, all that
//! waits is gone over once more, some ids at a time. In one bucket bodies go in the order of their ids.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::id::first_id_at;
use crate::domain::{Bucket, RawId, Timestamp};
use crate::storage::{Result, Tx, raw};

/// A body that is committed longer after it got its id than this is found by the next look, not by the next reading. Clocks
/// of nodes may differ by so much too.
const YOUNG: Duration = Duration::from_secs(2);
/// Ids of one reading. An entry of an index each: a millisecond or so.
const AHEAD: usize = 2_048;
const SWEPT: usize = 1_024;
/// Ids that are held. Where more wait, later ones are read when there is room: whose they are does not count until then.
const HELD: usize = 500_000;
/// Before all ids.
const FIRST: RawId = RawId::from_raw(0);

/// While more wait, what is young is too much to be read again each time.
const FEW: usize = 1_024;

/// Bodies that wait, by bucket.
#[derive(Debug)]
pub(super) struct Waiting {
    buckets: BTreeMap<Bucket, BTreeSet<RawId>>,
    held: usize,
    /// Everything that was committed in order is read up to here.
    front: RawId,
    /// Where the look under way goes on.
    sweep: Option<RawId>,
    /// The next pick begins behind it: who was first in the last one, or what was attached last.
    behind: Option<Bucket>,
    /// A reading found as many as it could take.
    more: bool,
}

/// A body of a bucket.
pub(super) type Place = (RawId, Bucket);

impl Waiting {
    pub(super) fn new() -> Self {
        Self {
            buckets: BTreeMap::new(),
            held: 0,
            front: FIRST,
            sweep: None,
            behind: None,
            more: false,
        }
    }

    /// Which buckets are ours has changed: another node may have attached what waited.
    pub(super) fn forget(&mut self) {
        *self = Self::new();
    }

    /// Goes over everything that waits once more, unless that is under way.
    pub(super) fn look(&mut self) {
        self.sweep.get_or_insert(FIRST);
    }

    /// May there be more to attach at once?
    pub(super) fn has_more(&self) -> bool {
        self.held > 0 || self.more
    }

    /// Reads on.
    pub(super) async fn read(
        &mut self,
        tx: &mut Tx,
        buckets: &[Bucket],
        now: Timestamp,
    ) -> Result<()> {
        self.more = false;
        if self.held >= HELD {
            return Ok(());
        }
        let after = match self.held < FEW {
            true => self
                .front
                .min(RawId::from_raw(first_id_at(now.minus(YOUNG)))),
            false => self.front,
        };
        let mut found = self.take(tx, buckets, after, AHEAD).await?;
        if found.is_full && found.last <= self.front {
            found = self.take(tx, buckets, self.front, AHEAD).await?;
        }
        self.front = self.front.max(found.last);
        self.more |= found.is_full;
        if self.held >= FEW {
            self.look();
        }
        if let Some(at) = self.sweep {
            let found = self.take(tx, buckets, at, SWEPT).await?;
            self.sweep = found.is_full.then_some(found.last);
            self.more |= found.is_full;
        }
        Ok(())
    }

    async fn take(
        &mut self,
        tx: &mut Tx,
        buckets: &[Bucket],
        after: RawId,
        most: usize,
    ) -> Result<Found> {
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let some = raw::waiting_all_tenants(tx, buckets, after, limit).await?;
        let found = Found {
            last: some.last().map_or(after, |(id, _)| *id),
            is_full: some.len() >= most,
        };
        for place in some {
            self.add(place);
        }
        Ok(found)
    }

    fn add(&mut self, (id, bucket): Place) {
        self.held += usize::from(self.buckets.entry(bucket).or_default().insert(id));
    }

    /// Whose turn it is: the oldest body of each bucket, then the second of each, until there are `most`.
    pub(super) fn pick(&mut self, most: usize) -> Vec<Place> {
        let (before, behind): (Vec<_>, Vec<_>) = self
            .buckets
            .iter()
            .partition(|(bucket, _)| Some(**bucket) <= self.behind);
        let mut queues: Vec<_> = behind
            .into_iter()
            .chain(before)
            .map(|(bucket, ids)| (*bucket, ids.iter()))
            .collect();
        let first = queues.first().map(|(bucket, _)| *bucket);
        let mut picked = Vec::with_capacity(most.min(self.held));
        while picked.len() < most && !queues.is_empty() {
            queues.retain_mut(|(bucket, ids)| match ids.next() {
                Some(id) if picked.len() < most => {
                    picked.push((*id, *bucket));
                    true
                }
                _ => false,
            });
        }
        // A batch that fails is not tried again as it was.
        self.behind = first;
        picked
    }

    /// These are attached, or wait no more; what is picked next begins behind the last one's bucket.
    pub(super) fn done(&mut self, gone: impl IntoIterator<Item = Place>) {
        for (id, bucket) in gone {
            self.behind = Some(bucket);
            if let Some(ids) = self.buckets.get_mut(&bucket) {
                self.held -= usize::from(ids.remove(&id));
                if ids.is_empty() {
                    self.buckets.remove(&bucket);
                }
            }
        }
    }
}

/// What a reading came to.
struct Found {
    /// The last id, or where it began.
    last: RawId,
    is_full: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(id: i64, bucket: i64) -> Place {
        let bucket = Bucket::from_raw(bucket).expect("a bucket");
        (RawId::from_raw(id), bucket)
    }

    fn waiting(places: &[Place]) -> Waiting {
        let mut waiting = Waiting::new();
        for place in places {
            waiting.add(*place);
        }
        waiting
    }

    #[test]
    fn buckets_take_turns_and_each_keeps_its_order() {
        let flood = (1..=1_000).map(|id| place(id, 7));
        let quiet = [place(2_001, 3), place(2_003, 3), place(2_002, 9)];
        let all: Vec<Place> = flood.chain(quiet).collect();
        let mut waiting = waiting(&all);
        let picked = waiting.pick(6);
        let expected = [
            place(2_001, 3),
            place(1, 7),
            place(2_002, 9),
            place(2_003, 3),
            place(2, 7),
            place(3, 7),
        ];
        assert_eq!(picked, expected);
        waiting.done(picked);
        assert_eq!(waiting.pick(2), [place(4, 7), place(5, 7)]);
        assert!(waiting.has_more());
    }

    #[test]
    fn another_bucket_is_first_each_time() {
        let all: Vec<Place> = (0..4).map(|n| place(10 + n, n)).collect();
        let mut waiting = waiting(&all);
        for first in [0, 1, 2, 3, 0] {
            assert_eq!(waiting.pick(1), [place(10 + first, first)]);
        }
    }

    #[test]
    fn buckets_that_found_no_room_in_a_batch_are_first_in_the_next() {
        let all: Vec<Place> = (0..40).map(|n| place(10 + n, n % 10)).collect();
        let mut waiting = waiting(&all);
        let mut buckets = Vec::new();
        for _ in 0..5 {
            let picked = waiting.pick(4);
            buckets.extend(picked.iter().map(|(_, bucket)| bucket.raw()));
            waiting.done(picked);
        }
        let twice: Vec<i64> = (0..10).chain(0..10).collect();
        assert_eq!(buckets, twice);
    }

    #[test]
    fn what_is_read_twice_is_held_once() {
        let mut waiting = waiting(&[place(1, 1), place(1, 1), place(2, 1)]);
        assert_eq!(waiting.pick(10).len(), 2);
        waiting.done([place(1, 1), place(2, 1), place(3, 1)]);
        assert!(!waiting.has_more());
    }
}
