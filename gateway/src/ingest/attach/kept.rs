//! Which buckets hold bodies that wait, as this node remembers it: the database would have to look through all that wait, and beside
//! a flood that is much, twice in each of a hundred commits a second.
//!
//! True only where no other node takes bodies in, so asked only on SQLite. What is in doubt is forgotten, and
//! known again when few wait.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard};

use super::waiting::Place;
use crate::domain::{Bucket, RawId};
use crate::sync::lock;

/// Bodies that are remembered.
const MOST: usize = 200_000;

/// Bodies that wait, by bucket.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// `None`: not known.
    waiting: Option<HashMap<Bucket, BTreeSet<RawId>>>,
    count: usize,
    /// How often it came to be unknown, or less.
    changed: u64,
}

/// Since when something is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Since(u64);

impl Kept {
    /// To be asked before the database is.
    pub(super) fn since(&self) -> Since {
        Since(self.known().changed)
    }

    /// These are all that wait, unless something else was told meanwhile. Bodies are kept by whoever tells this, so none has
    /// come meanwhile but parts of others ([`Kept::forget`]).
    pub(super) fn learn(&self, since: Since, all: &[Place]) {
        let mut known = self.known();
        if since != Since(known.changed) {
            return;
        }
        known.waiting = Some(HashMap::new());
        known.count = 0;
        all.iter().for_each(|place| known.add(*place));
    }

    /// These are about to wait.
    pub(super) fn add(&self, bodies: impl IntoIterator<Item = Place>) {
        let mut known = self.known();
        bodies.into_iter().for_each(|place| known.add(place));
        if known.count > MOST {
            known.forget();
        }
    }

    /// These wait no more.
    pub(super) fn done(&self, bodies: impl IntoIterator<Item = Place>) {
        let mut known = self.known();
        bodies.into_iter().for_each(|place| known.remove(place));
    }

    /// More may wait than was told.
    pub(super) fn forget(&self) {
        self.known().forget();
    }

    /// Those of these buckets in which bodies wait; `None`: not known.
    pub(super) fn waited_in(
        &self,
        buckets: impl Iterator<Item = Bucket>,
    ) -> Option<BTreeSet<Bucket>> {
        let known = self.known();
        let waiting = known.waiting.as_ref()?;
        Some(
            buckets
                .filter(|bucket| waiting.contains_key(bucket))
                .collect(),
        )
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.0)
    }
}

impl Known {
    fn add(&mut self, (id, bucket): Place) {
        if let Some(waiting) = &mut self.waiting {
            self.count += usize::from(waiting.entry(bucket).or_default().insert(id));
        }
    }

    fn remove(&mut self, (id, bucket): Place) {
        let Some(waiting) = &mut self.waiting else {
            return;
        };
        self.changed += 1;
        if let Some(ids) = waiting.get_mut(&bucket) {
            self.count -= usize::from(ids.remove(&id));
            if ids.is_empty() {
                waiting.remove(&bucket);
            }
        }
    }

    fn forget(&mut self) {
        self.waiting = None;
        self.count = 0;
        self.changed += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(n: i64) -> Bucket {
        Bucket::from_raw(n).expect("a bucket")
    }

    fn place(id: i64, n: i64) -> Place {
        (RawId::from_raw(id), bucket(n))
    }

    /// Which of the buckets 0 to 3 hold something.
    fn waited_in(kept: &Kept) -> Option<Vec<i64>> {
        let held = kept.waited_in((0..4).map(bucket))?;
        Some(held.into_iter().map(Bucket::raw).collect())
    }

    #[test]
    fn nothing_is_known_before_all_that_waits_was_read() {
        let kept = Kept::default();
        kept.add([place(1, 1)]);
        assert_eq!(waited_in(&kept), None);
        kept.learn(kept.since(), &[place(1, 1), place(2, 1)]);
        kept.add([place(3, 2)]);
        assert_eq!(waited_in(&kept), Some(vec![1, 2]));
        kept.done([place(1, 1), place(3, 2), place(9, 3)]);
        assert_eq!(waited_in(&kept), Some(vec![1]));
        kept.done([place(2, 1)]);
        assert_eq!(waited_in(&kept), Some(vec![]));
    }

    #[test]
    fn what_is_in_doubt_is_not_known_until_it_was_read_again() {
        let kept = Kept::default();
        let before = kept.since();
        kept.forget();
        kept.learn(before, &[]);
        assert_eq!(waited_in(&kept), None, "it was read before");
        kept.learn(kept.since(), &[place(1, 1)]);
        assert_eq!(waited_in(&kept), Some(vec![1]));
        let before = kept.since();
        kept.done([place(1, 1)]);
        kept.learn(before, &[place(1, 1)]);
        assert_eq!(waited_in(&kept), Some(vec![]), "it was read before");
        kept.learn(kept.since(), &[place(1, 1)]);
        // What was read again is all there is: nothing of before stays.
        kept.learn(kept.since(), &[]);
        assert_eq!(waited_in(&kept), Some(vec![]));
    }

    #[test]
    fn a_backlog_without_end_is_forgotten() {
        let kept = Kept::default();
        kept.learn(kept.since(), &[]);
        let most = i64::try_from(MOST).expect("small");
        kept.add((0..most).map(|id| place(id, 1)));
        assert_eq!(waited_in(&kept), Some(vec![1]));
        kept.add([place(most, 1)]);
        assert_eq!(waited_in(&kept), None);
    }
}
