//! Whose bodies wait, as this node remembers it: the database would have to look through all that wait, and beside
//! a flood that is much, twice in each of a hundred commits a second.
//!
//! True only where no other node takes bodies in, so asked only on SQLite. What is in doubt is forgotten, and
//! known again when few wait.

use std::sync::{Mutex, MutexGuard};

use super::lanes::Lanes;
use crate::storage::raw::{Lane, Place};
use crate::sync::lock;

/// Bodies that are remembered.
const MOST: usize = 200_000;

/// Bodies that wait.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// `None`: not known.
    waiting: Option<Lanes>,
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
    pub(super) fn learn(&self, since: Since, all: Lanes) {
        let mut known = self.known();
        if since == Since(known.changed) {
            known.waiting = Some(all);
        }
    }

    /// These are about to wait.
    pub(super) fn add(&self, bodies: impl IntoIterator<Item = Place>) {
        let mut known = self.known();
        let Some(waiting) = &mut known.waiting else {
            return;
        };
        bodies.into_iter().for_each(|place| waiting.add(place));
        if waiting.len() > MOST {
            known.forget();
        }
    }

    /// These wait no more.
    pub(super) fn done(&self, bodies: impl IntoIterator<Item = Place>) {
        let mut known = self.known();
        let Known { waiting, changed } = &mut *known;
        if let Some(waiting) = waiting {
            for place in bodies {
                waiting.remove(place);
                *changed += 1;
            }
        }
    }

    /// More may wait than was told.
    pub(super) fn forget(&self) {
        self.known().forget();
    }

    /// Is it known that more than so many wait?
    pub(super) fn knows_more_than(&self, most: usize) -> bool {
        let known = self.known();
        known.waiting.as_ref().is_some_and(|all| all.len() > most)
    }

    /// Those of these lanes to which something comes before which nothing waits; `None`: not known.
    pub(super) fn free<C: FromIterator<Lane>>(
        &self,
        lanes: impl Iterator<Item = Lane>,
    ) -> Option<C> {
        let known = self.known();
        let waiting = known.waiting.as_ref()?;
        Some(lanes.filter(|lane| waiting.is_free(*lane)).collect())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.0)
    }
}

impl Known {
    fn forget(&mut self) {
        self.waiting = None;
        self.changed += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::lanes::tests::{lane, place};
    use super::*;

    /// Which of the numbers 1 to 3 of one bucket wait for nothing.
    fn free(kept: &Kept) -> Option<Vec<i64>> {
        let free: Vec<Lane> = kept.free((1..4).map(lane))?;
        Some((1..4).filter(|n| free.contains(&lane(*n))).collect())
    }

    fn all<const N: usize>(places: [Place; N]) -> Lanes {
        places.into_iter().collect()
    }

    #[test]
    fn nothing_is_known_before_all_that_waits_was_read() {
        let kept = Kept::default();
        kept.add([place(1, 1)]);
        assert_eq!(free(&kept), None);
        kept.learn(kept.since(), all([place(1, 1), place(2, 1)]));
        kept.add([place(3, 2)]);
        assert_eq!(free(&kept), Some(vec![3]));
        assert!(kept.knows_more_than(2) && !kept.knows_more_than(3));
        kept.done([place(1, 1), place(3, 2), place(9, 3)]);
        assert_eq!(free(&kept), Some(vec![2, 3]));
        kept.done([place(2, 1)]);
        assert_eq!(free(&kept), Some(vec![1, 2, 3]));
    }

    #[test]
    fn what_is_in_doubt_is_not_known_until_it_was_read_again() {
        let kept = Kept::default();
        let before = kept.since();
        kept.forget();
        kept.learn(before, all([]));
        assert_eq!(free(&kept), None, "it was read before");
        kept.learn(kept.since(), all([place(1, 1)]));
        assert_eq!(free(&kept), Some(vec![2, 3]));
        let before = kept.since();
        kept.done([place(1, 1)]);
        kept.learn(before, all([place(1, 1)]));
        assert_eq!(free(&kept), Some(vec![1, 2, 3]), "it was read before");
        kept.learn(kept.since(), all([place(1, 1)]));
        // What was read again is all there is: nothing of before stays.
        kept.learn(kept.since(), all([]));
        assert_eq!(free(&kept), Some(vec![1, 2, 3]));
    }

    #[test]
    fn a_backlog_without_end_is_forgotten() {
        let kept = Kept::default();
        kept.learn(kept.since(), all([]));
        let most = i64::try_from(MOST).expect("small");
        kept.add((0..most).map(|id| place(id, 1)));
        assert_eq!(free(&kept), Some(vec![2, 3]));
        kept.add([place(most, 1)]);
        assert_eq!(free(&kept), None);
    }
}
