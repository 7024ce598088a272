//! How many waiting messages memory may hold, and of whom: the rest stays in the database and is found again. Pure.
//!
//! What is in memory are hints. A tenant whose messages do not all fit is *behind*: nothing of it is taken in as it
//! arrives, because its successors would wait in memory for predecessors that are not there.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::domain::TenantId;

/// Of the whole room: what any tenant may hold, however many others there are.
const PART_LEAST: usize = 16;
/// Of the whole room: what a tenant may hold although it is full, so that nobody is kept out by others' messages.
const ALWAYS: usize = 256;
/// Who holds more than so many, those that run or wait for their time counted, has turns enough to go on with: the least slots for
/// those above their share, some times over.
const PLENTY: usize = 64;

/// Counts of what is held.
#[derive(Debug)]
pub(super) struct Room {
    total: usize,
    len: usize,
    held: HashMap<TenantId, usize>,
    plenty: BTreeSet<TenantId>,
    behind: HashSet<TenantId>,
    /// Those who were behind when the look under way began.
    looked_for: HashSet<TenantId>,
}

impl Room {
    pub(super) fn new(total: usize) -> Self {
        Self {
            total,
            len: 0,
            held: HashMap::new(),
            plenty: BTreeSet::new(),
            behind: HashSet::new(),
            looked_for: HashSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn add(&mut self, tenant: TenantId, count: usize) {
        self.len += count;
        let held = self.held.entry(tenant).or_default();
        *held += count;
        if *held > PLENTY {
            self.plenty.insert(tenant);
        }
    }

    pub(super) fn remove(&mut self, tenant: TenantId, count: usize) {
        self.len -= count;
        if let Some(held) = self.held.get_mut(&tenant) {
            *held -= count;
            if *held <= PLENTY {
                self.plenty.remove(&tenant);
            }
            if *held == 0 {
                self.held.remove(&tenant);
            }
        }
    }

    /// Those who hold more than they need to go on with.
    pub(super) fn plenty(&self) -> &BTreeSet<TenantId> {
        &self.plenty
    }

    fn held(&self, tenant: TenantId) -> usize {
        self.held.get(&tenant).copied().unwrap_or(0)
    }

    /// An equal part for everybody who holds something and one more who may come.
    fn part(&self) -> usize {
        self.part_of(self.held.len())
    }

    /// The same for so many who hold something.
    fn part_of(&self, holders: usize) -> usize {
        let equal = self.total / (holders + 1);
        equal.max(self.total / PART_LEAST).max(1)
    }

    fn always(&self) -> usize {
        (self.total / ALWAYS).max(1)
    }

    pub(super) fn has_room(&self, tenant: TenantId) -> bool {
        let held = self.held(tenant);
        held < self.always() || (self.len < self.total && held < self.part())
    }

    /// Is there room for so many at once?
    pub(super) fn fits(&self, tenant: TenantId, count: usize) -> bool {
        let held = self.held(tenant) + count;
        let holders = self.held.len() + usize::from(!self.held.contains_key(&tenant));
        let part = self.part_of(holders);
        held <= self.always() || (self.len + count <= self.total && held <= part)
    }

    /// A message that just arrived: may it be taken in? If not, its tenant is behind from now on.
    pub(super) fn admits(&mut self, tenant: TenantId) -> bool {
        let is_behind = self.behind.contains(&tenant) || self.is_looked_for(tenant);
        let admits = !is_behind && self.has_room(tenant);
        if !admits {
            self.fall_behind(tenant);
        }
        admits
    }

    /// Something of this tenant is in the database only.
    pub(super) fn fall_behind(&mut self, tenant: TenantId) {
        self.behind.insert(tenant);
    }

    /// Is it worth looking into the database: does somebody who is behind hold nothing, or is half of the room free? A
    /// look reads again what is known, so it should bring about as much that is new.
    pub(super) fn runs_low(&self) -> bool {
        let half_free = self.len <= self.total / 2;
        let low = self.part() / 2;
        self.behind.iter().any(|tenant| {
            let held = self.held(*tenant);
            held == 0 || (half_free && held <= low && self.has_room(*tenant))
        })
    }

    /// Whom a look leaves out, because nothing more of theirs fits.
    pub(super) fn full(&self) -> Vec<TenantId> {
        let held = self.held.keys().copied();
        held.filter(|tenant| !self.has_room(*tenant)).collect()
    }

    /// A look begins: who falls behind from now on may be so of what it does not see.
    pub(super) fn look_begins(&mut self) {
        self.looked_for.extend(self.behind.drain());
    }

    /// May a look under way find what this tenant has in the database only?
    pub(super) fn is_looked_for(&self, tenant: TenantId) -> bool {
        self.looked_for.contains(&tenant)
    }

    /// The look found everything that waited when it began, but of these; `None`: not everything.
    pub(super) fn look_ended(&mut self, except: Option<&[TenantId]>) {
        let looked_for = self.looked_for.drain();
        let still = looked_for.filter(|tenant| except.is_none_or(|some| some.contains(tenant)));
        self.behind.extend(still);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(n: i64) -> TenantId {
        TenantId::from_raw(n)
    }

    /// Takes in what is admitted of `count` messages.
    fn arrive(room: &mut Room, of: i64, count: usize) -> usize {
        let arriving = (0..count).filter(|_| {
            let admitted = room.admits(tenant(of));
            if admitted {
                room.add(tenant(of), 1);
            }
            admitted
        });
        arriving.count()
    }

    /// A look that finds all but what these have.
    fn caught_up(room: &mut Room, except: &[TenantId]) {
        room.look_begins();
        room.look_ended(Some(except));
    }

    #[test]
    fn a_flood_leaves_room_for_everybody_else() {
        let mut room = Room::new(1_024);
        assert_eq!(arrive(&mut room, 1, 100_000), 512);
        assert_eq!(arrive(&mut room, 2, 1_000), 341);
        assert_eq!(arrive(&mut room, 3, 10), 10);
        for n in 4..1_000 {
            assert!(arrive(&mut room, n, 4) == 4, "tenant {n} is kept out");
        }
    }

    #[test]
    fn who_holds_many_has_plenty() {
        let mut room = Room::new(1_024);
        arrive(&mut room, 1, PLENTY);
        arrive(&mut room, 2, PLENTY + 1);
        assert_eq!(room.plenty(), &BTreeSet::from([tenant(2)]));
        room.remove(tenant(2), 1);
        assert!(room.plenty().is_empty());
    }

    #[test]
    fn what_fits_whole_leaves_a_part_for_one_more() {
        let mut room = Room::new(64);
        assert!(room.fits(tenant(1), 32) && !room.fits(tenant(1), 33));
        room.add(tenant(1), 31);
        assert!(room.fits(tenant(1), 1) && !room.fits(tenant(1), 2));
        assert!(room.fits(tenant(2), 21) && !room.fits(tenant(2), 22));
        room.add(tenant(3), 33);
        assert!(room.fits(tenant(2), 1), "one always does");
        assert!(!room.fits(tenant(2), 2));
    }

    #[test]
    fn who_is_behind_takes_nothing_in_until_a_look_has_caught_up() {
        let mut room = Room::new(64);
        arrive(&mut room, 1, 100);
        assert!(!room.runs_low());
        room.remove(tenant(1), 31);
        assert!(room.runs_low());
        assert_eq!(arrive(&mut room, 1, 1), 0);
        room.look_begins();
        assert_eq!(arrive(&mut room, 1, 1), 0);
        assert!(room.is_looked_for(tenant(1)));
        room.look_ended(None);
        assert!(room.runs_low());
        assert_eq!(arrive(&mut room, 1, 1), 0);
        caught_up(&mut room, &[]);
        assert_eq!(arrive(&mut room, 1, 1), 1);
        assert!(!room.runs_low());
    }

    #[test]
    fn who_falls_behind_during_a_look_stays_so() {
        let mut room = Room::new(64);
        room.fall_behind(tenant(1));
        room.look_begins();
        room.fall_behind(tenant(1));
        room.fall_behind(tenant(2));
        room.look_ended(Some(&[]));
        assert_eq!(arrive(&mut room, 1, 1) + arrive(&mut room, 2, 1), 0);
        caught_up(&mut room, &[]);
        assert_eq!(arrive(&mut room, 1, 1) + arrive(&mut room, 2, 1), 2);
    }

    #[test]
    fn a_look_leaves_out_whom_nothing_more_fits() {
        let mut room = Room::new(64);
        arrive(&mut room, 1, 100);
        arrive(&mut room, 2, 1);
        assert_eq!(room.full(), [tenant(1)]);
        room.fall_behind(tenant(2));
        caught_up(&mut room, &[tenant(1)]);
        assert_eq!(arrive(&mut room, 2, 1), 1);
        assert_eq!(arrive(&mut room, 1, 1), 0);
    }
}
