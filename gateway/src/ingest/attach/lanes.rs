//! Bodies that wait, by lane, and how far each lane may go.

use std::collections::btree_set::Range;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::domain::{NumberId, RawId};
use crate::storage::raw::{Lane, Place, Whose};

/// Behind all ids.
const NONE: RawId = RawId::from_raw(i64::MAX);

/// Bodies by lane. What is anybody's of a bucket comes after all that is older there, and before all that is younger.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: BTreeMap<Lane, BTreeSet<RawId>>,
    len: usize,
}

impl Lanes {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn add(&mut self, (id, lane): Place) {
        self.len += usize::from(self.lanes.entry(lane).or_default().insert(id));
    }

    /// Answers how many waited in its lane.
    pub(super) fn remove(&mut self, (id, lane): Place) -> usize {
        let Some(ids) = self.lanes.get_mut(&lane) else {
            return 0;
        };
        let count = ids.len();
        self.len -= usize::from(ids.remove(&id));
        if ids.is_empty() {
            self.lanes.remove(&lane);
        }
        count
    }

    /// Does nothing wait that has to be before what comes to that lane, of one number or nobody, now?
    pub(super) fn is_free(&self, lane: Lane) -> bool {
        !self.lanes.contains_key(&lane) && !self.holds_anybodys(lane)
    }

    /// Lanes in a circle from behind that one, each with what waits in it.
    pub(super) fn circle(
        &self,
        lane: Option<Lane>,
    ) -> impl Iterator<Item = (Lane, &BTreeSet<RawId>)> {
        let first = lane.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.lanes.range((first, Bound::Unbounded));
        let before = lane.map(|lane| self.lanes.range(..=lane));
        let circle = behind.chain(before.into_iter().flatten());
        circle.map(|(lane, ids)| (*lane, ids))
    }

    /// Of what waits in that lane, what may go, in order.
    pub(super) fn ready<'a>(&self, lane: Lane, ids: &'a BTreeSet<RawId>) -> Range<'a, RawId> {
        ids.range(..self.end(lane))
    }

    /// Does something wait there that is anybody's of its bucket?
    pub(super) fn holds_anybodys(&self, lane: Lane) -> bool {
        self.lanes.contains_key(&anybodys(lane))
    }

    /// What may go of that lane is older than this.
    fn end(&self, lane: Lane) -> RawId {
        let first = |ids: &BTreeSet<RawId>| ids.first().copied();
        let end = match lane.whose {
            Whose::Any => self.others_of(lane).filter_map(first).min(),
            _ => self.lanes.get(&anybodys(lane)).and_then(first),
        };
        end.unwrap_or(NONE)
    }

    /// What waits in that bucket and is somebody's.
    fn others_of(&self, lane: Lane) -> impl Iterator<Item = &BTreeSet<RawId>> {
        let last = Lane {
            whose: Whose::Number(NumberId::from_raw(i64::MAX)),
            ..lane
        };
        let others = (Bound::Excluded(anybodys(lane)), Bound::Included(last));
        self.lanes.range(others).map(|(_, ids)| ids)
    }
}

/// Where what is anybody's of the same bucket waits: the first of its lanes.
fn anybodys(lane: Lane) -> Lane {
    Lane {
        whose: Whose::Any,
        ..lane
    }
}

impl FromIterator<Place> for Lanes {
    fn from_iter<T: IntoIterator<Item = Place>>(places: T) -> Self {
        let mut lanes = Self::default();
        places.into_iter().for_each(|place| lanes.add(place));
        lanes
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::Bucket;

    /// A lane of the bucket of tens: of the number of ones, or 0 for anybody's and 9 for nobody's.
    pub(in crate::ingest::attach) fn lane(n: i64) -> Lane {
        let whose = match n % 10 {
            0 => Whose::Any,
            9 => Whose::Nobody,
            number => Whose::Number(NumberId::from_raw(number)),
        };
        let bucket = Bucket::from_raw(n / 10).expect("a bucket");
        Lane { bucket, whose }
    }

    pub(in crate::ingest::attach) fn place(id: i64, n: i64) -> Place {
        (RawId::from_raw(id), lane(n))
    }

    fn free(lanes: &Lanes, of: &[i64]) -> Vec<i64> {
        let free = of.iter().filter(|n| lanes.is_free(lane(**n)));
        free.copied().collect()
    }

    /// What may go, in a circle from behind that lane.
    fn ready(lanes: &Lanes, behind: i64) -> Vec<Vec<i64>> {
        lanes
            .circle(Some(lane(behind)))
            .map(|(lane, ids)| lanes.ready(lane, ids).map(|id| id.raw()).collect())
            .collect()
    }

    #[test]
    fn numbers_of_one_bucket_do_not_wait_for_each_other() {
        let lanes: Lanes = [place(1, 11), place(2, 12), place(3, 11), place(4, 19)]
            .into_iter()
            .collect();
        assert_eq!(free(&lanes, &[11, 12, 13, 19, 21]), [13, 21]);
        assert_eq!(ready(&lanes, 11), [vec![2], vec![4], vec![1, 3]]);
        assert_eq!(lanes.len(), 4);
    }

    #[test]
    fn what_is_anybodys_comes_after_all_that_is_older_and_before_all_that_is_younger() {
        let places = [
            place(1, 11),
            place(2, 10),
            place(3, 11),
            place(4, 12),
            place(5, 21),
        ];
        let mut lanes: Lanes = places.into_iter().collect();
        assert_eq!(free(&lanes, &[11, 12, 13, 19, 21, 22]), [22]);
        assert_eq!(ready(&lanes, 9), [vec![], vec![1], vec![], vec![5]]);
        lanes.remove(place(1, 11));
        assert_eq!(ready(&lanes, 9), [vec![2], vec![], vec![], vec![5]]);
        lanes.remove(place(2, 10));
        assert_eq!(ready(&lanes, 9), [vec![3], vec![4], vec![5]]);
    }
}
