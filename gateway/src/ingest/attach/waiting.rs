//! Which bodies wait, and whose is next: numbers take turns, so that a flood for one keeps nobody else's waiting.
//!
//! Ids are read ahead of the bodies, from where the last reading ended. A body can be committed after one with a later id
//! was read, so what is young is read again each time ([`YOUNG`], and less of it while many wait: [`YOUNGEST`]); every look, and
//! while many wait again and again, all that waits is gone over once more, some ids at a time. Those of one number go in the order
//! of their ids ([`Lanes`]).

use std::collections::BTreeSet;
use std::collections::btree_set::Range;
use std::time::{Duration, Instant};

use super::lanes::Lanes;
use crate::domain::id::first_id_at;
use crate::domain::{Bucket, NumberId, RawId, Timestamp};
use crate::storage::raw::{self, Lane, Place, Whose};
use crate::storage::{Result, Tx};

/// A body that is committed longer after it got its id than this is found by the next look, not by the next reading. Clocks
/// of nodes may differ by so much too.
const YOUNG: Duration = Duration::from_secs(2);
/// The same while many wait: about as long as commits of one node take. What comes later still is found as all is gone over.
const YOUNGEST: Duration = Duration::from_millis(50);
/// Ids of one reading. An entry of an index each: a millisecond or so.
const AHEAD: usize = 2_048;
const SWEPT: usize = 1_024;
/// While many wait they are gone over so slowly, a reading each time: beside a flood it was half of a core (docs/performance.md).
const SWEEPS_APART: Duration = Duration::from_millis(50);
/// Ids that are held. Where more wait, later ones are read when there is room: whose they are does not count until then.
const HELD: usize = 500_000;
/// Before all ids.
const FIRST: RawId = RawId::from_raw(0);

/// While more wait, all that is young is too much to be read again each time.
const FEW: usize = 128;

/// While as many are held nobody is let before the others: who comes then is not even known.
const GIVES_WAY: usize = 100_000;
/// A lane in which more wait has a backlog.
const BACKLOG: usize = 64;

/// Bodies that wait.
#[derive(Debug)]
pub(super) struct Waiting {
    lanes: Lanes,
    /// Everything that was committed in order is read up to here.
    front: RawId,
    /// Where the look under way goes on.
    sweep: Option<RawId>,
    /// When it last did.
    swept: Option<Instant>,
    /// The next pick begins behind it: who was first in the last one, or what was attached last.
    behind: Option<Lane>,
    /// The same among those with backlogs, when they are picked apart.
    behind_backlog: Option<Lane>,
    /// Those with backlogs, when something was picked last.
    backlogs: BTreeSet<Lane>,
    /// They were picked apart.
    apart: bool,
    /// A reading found as many as it could take.
    more: bool,
    /// More may wait behind `front`.
    unread: bool,
}

impl Waiting {
    pub(super) fn new() -> Self {
        Self {
            lanes: Lanes::default(),
            front: FIRST,
            sweep: None,
            swept: None,
            behind: None,
            behind_backlog: None,
            backlogs: BTreeSet::new(),
            apart: false,
            more: false,
            unread: true,
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
        self.lanes.len() > 0 || self.more || self.sweep.is_some()
    }

    /// The numbers whose bodies wait since before then; `None`: it may be anybody's.
    pub(super) fn since_before(&self, then: Timestamp) -> Option<BTreeSet<NumberId>> {
        let then = RawId::from_raw(first_id_at(then));
        if self.unread && self.front < then {
            return None;
        }
        let lanes = self.lanes.circle(None);
        let late = lanes.filter(|(_, ids)| ids.first().is_some_and(|first| *first < then));
        late.map(|(lane, _)| match lane.whose {
            Whose::Number(number) => Some(number),
            Whose::Any | Whose::Nobody => None,
        })
        .collect()
    }

    /// Reads on.
    pub(super) async fn read(
        &mut self,
        tx: &mut Tx,
        buckets: &[Bucket],
        now: Timestamp,
    ) -> Result<()> {
        self.more = false;
        self.unread = true;
        if self.lanes.len() >= HELD {
            return Ok(());
        }
        let young = match self.lanes.len() < FEW {
            true => YOUNG,
            false => YOUNGEST,
        };
        let after = RawId::from_raw(first_id_at(now.minus(young))).min(self.front);
        let mut found = self.take(tx, buckets, after, AHEAD).await?;
        if found.is_full && found.last <= self.front {
            found = self.take(tx, buckets, self.front, AHEAD).await?;
        }
        self.front = self.front.max(found.last);
        self.unread = found.is_full;
        self.more |= found.is_full;
        let many = self.lanes.len() >= FEW;
        if many {
            self.look();
        }
        let rests = many && self.swept.is_some_and(|at| at.elapsed() < SWEEPS_APART);
        if let Some(at) = self.sweep.filter(|_| !rests) {
            let found = self.take(tx, buckets, at, SWEPT).await?;
            self.sweep = found.is_full.then_some(found.last);
            #[allow(clippy::disallowed_methods, reason = "how long it rests")]
            let now = Instant::now();
            self.swept = Some(now);
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
            self.lanes.add(place);
        }
        Ok(found)
    }

    /// Whose turn it is: the oldest body of each lane, then the second of each, until there are `most`; of those with backlogs
    /// (many wait, or `is_ahead`), no more than `of_backlogs` together. Backlogs take turns among themselves then: else those that
    /// stand before everybody who comes and goes would always be first.
    pub(super) fn pick(
        &mut self,
        most: usize,
        of_backlogs: usize,
        is_ahead: impl Fn(Lane) -> bool,
    ) -> Vec<Place> {
        self.apart = of_backlogs < most;
        self.backlogs = self.find_backlogs(is_ahead);
        let some = |behind: Option<Lane>, backlogs: bool, most: usize| {
            let lanes = self.lanes.circle(behind);
            let chosen = lanes.filter(|(lane, _)| self.is_apart(*lane) == backlogs);
            in_turn(
                chosen.map(|(lane, ids)| (lane, self.lanes.ready(lane, ids))),
                most,
            )
        };
        let backlogs = match self.apart {
            true => some(self.behind_backlog, true, of_backlogs),
            false => Vec::new(),
        };
        let mut picked = some(self.behind, false, most - backlogs.len());
        // A batch that fails is not tried again as it was.
        let first = |of: &[Place]| of.first().map(|(_, lane)| *lane);
        self.behind = first(&picked).or(self.behind);
        self.behind_backlog = first(&backlogs).or(self.behind_backlog);
        picked.extend(backlogs);
        picked
    }

    /// Was there one when something was picked last?
    pub(super) fn has_backlog(&self) -> bool {
        !self.backlogs.is_empty()
    }

    /// May others be let before those with backlogs?
    pub(super) fn gives_way(&self) -> bool {
        self.lanes.len() < GIVES_WAY
    }

    /// May more wait than is held?
    pub(super) fn is_unread(&self) -> bool {
        self.unread
    }

    fn is_apart(&self, lane: Lane) -> bool {
        self.apart && self.backlogs.contains(&lane)
    }

    /// Not where the others of its bucket would have to wait for it.
    fn find_backlogs(&self, is_ahead: impl Fn(Lane) -> bool) -> BTreeSet<Lane> {
        let lanes = self.lanes.circle(None);
        let many = lanes.filter(|(lane, ids)| ids.len() > BACKLOG || is_ahead(*lane));
        many.map(|(lane, _)| lane)
            .filter(|lane| !self.lanes.holds_anybodys(*lane))
            .collect()
    }

    /// These are attached, or wait no more; what is picked next begins behind the last one's lane. Answers how many were of
    /// lanes without backlogs.
    pub(super) fn done(&mut self, gone: impl IntoIterator<Item = Place>) -> usize {
        let mut others = 0;
        for (id, lane) in gone {
            let count = self.lanes.remove((id, lane));
            match self.is_apart(lane) {
                true => self.behind_backlog = Some(lane),
                false => self.behind = Some(lane),
            }
            others += usize::from(count <= BACKLOG && !self.backlogs.contains(&lane));
        }
        others
    }
}

/// The first of each lane, then the second of each, until there are `most`.
fn in_turn<'a>(lanes: impl Iterator<Item = (Lane, Range<'a, RawId>)>, most: usize) -> Vec<Place> {
    // Each has one at least, so that more lanes are not needed.
    let mut queues: Vec<_> = lanes
        .map(|(lane, ids)| (lane, ids.peekable()))
        .filter_map(|(lane, mut ids)| ids.peek().is_some().then_some((lane, ids)))
        .take(most)
        .collect();
    let mut picked = Vec::new();
    while picked.len() < most && !queues.is_empty() {
        queues.retain_mut(|(lane, ids)| match ids.next() {
            Some(id) if picked.len() < most => {
                picked.push((*id, *lane));
                true
            }
            _ => false,
        });
    }
    picked
}

/// What a reading came to.
struct Found {
    /// The last id, or where it began.
    last: RawId,
    is_full: bool,
}

#[cfg(test)]
mod tests {
    use super::super::lanes::tests::{lane, place};
    use super::*;

    fn nobody(_: Lane) -> bool {
        false
    }

    fn waiting(places: &[Place]) -> Waiting {
        Waiting {
            lanes: places.iter().copied().collect(),
            ..Waiting::new()
        }
    }

    #[test]
    fn numbers_take_turns_and_each_keeps_its_order() {
        let flood = (1..=1_000).map(|id| place(id, 7));
        let quiet = [place(2_001, 3), place(2_003, 3), place(2_002, 18)];
        let all: Vec<Place> = flood.chain(quiet).collect();
        let mut waiting = waiting(&all);
        let picked = waiting.pick(6, 6, nobody);
        let expected = [
            place(2_001, 3),
            place(1, 7),
            place(2_002, 18),
            place(2_003, 3),
            place(2, 7),
            place(3, 7),
        ];
        assert_eq!(picked, expected);
        waiting.done(picked);
        assert_eq!(waiting.pick(2, 2, nobody), [place(4, 7), place(5, 7)]);
        assert!(waiting.has_more());
    }

    #[test]
    fn another_is_first_each_time() {
        let all: Vec<Place> = (1..5).map(|n| place(10 + n, n)).collect();
        let mut waiting = waiting(&all);
        for first in [1, 2, 3, 4, 1] {
            assert_eq!(waiting.pick(1, 1, nobody), [place(10 + first, first)]);
        }
    }

    #[test]
    fn those_that_found_no_room_in_a_batch_are_first_in_the_next() {
        let all: Vec<Place> = (0..40).map(|n| place(10 + n, 1 + n % 8)).collect();
        let mut waiting = waiting(&all);
        let mut lanes = Vec::new();
        for _ in 0..6 {
            let picked = waiting.pick(3, 3, nobody);
            lanes.extend(picked.iter().map(|(_, lane)| *lane));
            waiting.done(picked);
        }
        let thrice = [1..9, 1..9, 1..9].into_iter().flatten();
        let expected: Vec<Lane> = thrice.map(|n| place(0, n).1).take(18).collect();
        assert_eq!(lanes, expected);
    }

    #[test]
    fn where_all_have_backlogs_each_is_served_once_a_round() {
        let backlogs = (1..31).flat_map(|bucket| (0..100).map(move |n| place(n, 10 * bucket + 1)));
        let mut waiting = waiting(&backlogs.collect::<Vec<_>>());
        let mut lanes = Vec::new();
        for _ in 0..3 {
            let picked = waiting.pick(10, 10, nobody);
            lanes.extend(picked.iter().map(|(_, lane)| *lane));
            waiting.done(picked);
        }
        let served: BTreeSet<Lane> = lanes.iter().copied().collect();
        assert_eq!((lanes.len(), served.len()), (30, 30));
    }

    #[test]
    fn a_backlog_before_what_is_anybodys_is_not_held_back() {
        let flood = (1..=100).map(|id| place(id, 11));
        let all: Vec<Place> = flood.chain([place(101, 10), place(102, 12)]).collect();
        let mut waiting = waiting(&all);
        let picked = waiting.pick(48, 0, nobody);
        assert_eq!(picked, (1..=48).map(|id| place(id, 11)).collect::<Vec<_>>());
        assert!(!waiting.has_backlog());
        waiting.done(picked);
        assert_eq!(waiting.pick(100, 0, nobody).len(), 52);
    }

    #[test]
    fn it_is_known_whose_bodies_wait_for_long_as_far_as_all_was_read() {
        let now = Timestamp::from_secs(1_795_000_000);
        let id = |secs| first_id_at(now.plus(Duration::from_secs(secs)));
        let all = [place(id(1), 11), place(id(9), 11), place(id(5), 12)];
        let mut waiting = waiting(&all);
        let then = now.plus(Duration::from_secs(3));
        assert_eq!(waiting.since_before(then), None, "nothing is read");
        waiting.unread = false;
        let late = Some(BTreeSet::from([NumberId::from_raw(1)]));
        assert_eq!(waiting.since_before(then), late);
        waiting.unread = true;
        waiting.front = RawId::from_raw(id(4));
        assert_eq!(waiting.since_before(then), late);
        waiting.lanes.add(place(id(6), 20));
        assert_eq!(waiting.since_before(then), late);
        waiting.lanes.add(place(id(2), 20));
        assert_eq!(waiting.since_before(then), None, "it may be anybody's");
    }

    #[test]
    fn what_is_read_twice_is_held_once() {
        let mut waiting = waiting(&[place(1, 1), place(1, 1), place(2, 1)]);
        assert_eq!(waiting.pick(10, 10, nobody).len(), 2);
        waiting.done([place(1, 1), place(2, 1), place(3, 1)]);
        assert!(!waiting.has_more());
    }

    #[test]
    fn backlogs_take_turns_whoever_comes_and_goes_beside_them() {
        let backlogs = (1..21)
            .flat_map(|bucket| (0..100).map(move |n| place(100 * bucket + n, 10 * bucket + 1)));
        let mut waiting = waiting(&backlogs.collect::<Vec<_>>());
        let mut served = BTreeSet::new();
        for n in 0..10 {
            // It shares a bucket with one of them.
            let quiet = [place(10_000 + n, 52)];
            waiting.lanes.add(quiet[0]);
            let picked = waiting.pick(48, 0, nobody);
            assert!(waiting.has_backlog());
            assert_eq!(picked, quiet);
            assert_eq!(waiting.done(picked), 1);
            let some = waiting.pick(48, 4, nobody);
            assert_eq!(some.len(), 4);
            served.extend(some.iter().map(|(_, lane)| *lane));
            assert_eq!(waiting.done(some), 0);
        }
        assert_eq!(served.len(), 20);
    }

    #[test]
    fn whose_turns_are_plenty_is_held_back_before_its_bodies_are_many() {
        let all = [place(1, 11), place(2, 11), place(3, 12), place(4, 19)];
        let mut waiting = waiting(&all);
        let is_ahead = |of: Lane| of == lane(11);
        assert_eq!(waiting.pick(48, 0, is_ahead), [place(4, 19), place(3, 12)]);
        assert!(waiting.has_backlog());
        assert_eq!(waiting.pick(48, 1, is_ahead).len(), 3);
        assert_eq!(waiting.done([place(1, 11), place(3, 12)]), 1);
        assert_eq!(waiting.pick(48, 48, is_ahead).len(), 2);
    }

    #[test]
    fn of_backlogs_no_more_is_picked_than_may_be() {
        let flood = (1..=1_000).map(|id| place(id, 7));
        let quiet = [place(2_001, 3), place(2_002, 3)];
        let all: Vec<Place> = flood.chain(quiet).collect();
        let mut waiting = waiting(&all);
        let expected = [
            place(2_001, 3),
            place(2_002, 3),
            place(1, 7),
            place(2, 7),
            place(3, 7),
        ];
        assert_eq!(waiting.pick(6, 3, nobody), expected);
        assert_eq!(waiting.pick(6, 0, nobody), expected[..2]);
    }
}
