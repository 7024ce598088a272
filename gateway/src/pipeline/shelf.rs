//! What is kept in memory within a budget: what was used last longest ago goes first, what is in use stays. A tenant that
//! holds a large part of the shelf makes room before anybody else does, so that nobody pushes out what others use. Pure.
//!
//! Room is taken before a thing is made, so that what is on its way counts too: when nothing can go, the answer is no,
//! and whoever asked comes again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use crate::domain::TenantId;

/// More than one of so many parts of the budget is a large part. A guess: below it what was used lately counts, whosever it is;
/// a tenant with a few plugins is no different from one with a single one.
const PARTS: usize = 16;

/// How much may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    pub count: usize,
    pub bytes: usize,
}

/// Things by their keys, each held for the tenant that asked for it first.
#[derive(Debug)]
pub(super) struct Shelf<K, V> {
    budget: Budget,
    held: HashMap<K, Held<V>>,
    /// By when they were used last.
    order: BTreeMap<u64, (TenantId, K)>,
    shares: HashMap<TenantId, Share>,
    uses: u64,
    /// Of all that is held or on its way.
    bytes: usize,
    coming: usize,
    gone: u64,
}

#[derive(Debug)]
struct Held<V> {
    thing: Arc<V>,
    tenant: TenantId,
    bytes: usize,
    used: u64,
}

/// What is held for one tenant.
#[derive(Debug, Default)]
struct Share {
    count: usize,
    bytes: usize,
}

/// Room for a thing that is being made. It goes back with [`Shelf::put`] or [`Shelf::give_back`].
#[derive(Debug)]
#[must_use]
pub(super) struct Reserved {
    tenant: TenantId,
    bytes: usize,
}

impl<K: Clone + Eq + Hash, V> Shelf<K, V> {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            budget,
            held: HashMap::new(),
            order: BTreeMap::new(),
            shares: HashMap::new(),
            uses: 0,
            bytes: 0,
            coming: 0,
            gone: 0,
        }
    }

    /// Takes a thing in hand, which makes it the one that was used last.
    pub(super) fn get(&mut self, key: &K) -> Option<Arc<V>> {
        let used = self.next_use();
        let held = self.held.get_mut(key)?;
        if let Some(place) = self.order.remove(&held.used) {
            self.order.insert(used, place);
        }
        held.used = used;
        Some(held.thing.clone())
    }

    /// Makes room for a thing of this size for a tenant, or says that there is none. One that is larger than the budget has the shelf
    /// to itself: a budget that is too small makes a node slow, not deaf. What had to go comes back, to be dropped without the
    /// shelf's lock.
    pub(super) fn reserve(
        &mut self,
        tenant: TenantId,
        bytes: usize,
    ) -> Option<(Reserved, Vec<Arc<V>>)> {
        let mut gone = Vec::new();
        while !self.has_room(bytes) {
            match self.next_to_go() {
                Some(key) => gone.extend(self.take(&key).map(|held| (key, held))),
                None if self.held.is_empty() && self.coming == 0 => break,
                None => {
                    // All that is idle would not be enough: then nothing of it goes.
                    gone.into_iter()
                        .for_each(|(key, held)| self.hold(key, held));
                    return None;
                }
            }
        }
        self.gone += gone.len() as u64;
        self.bytes += bytes;
        self.coming += 1;
        let gone = gone.into_iter().map(|(_, held)| held.thing).collect();
        Some((Reserved { tenant, bytes }, gone))
    }

    /// Puts a thing into the room that was made for it.
    pub(super) fn put(&mut self, key: K, thing: Arc<V>, room: Reserved) {
        self.take(&key);
        let held = Held {
            thing,
            tenant: room.tenant,
            bytes: room.bytes,
            used: self.next_use(),
        };
        self.give_back(room);
        self.hold(key, held);
    }

    fn hold(&mut self, key: K, held: Held<V>) {
        self.order.insert(held.used, (held.tenant, key.clone()));
        self.bytes += held.bytes;
        let share = self.shares.entry(held.tenant).or_default();
        share.count += 1;
        share.bytes += held.bytes;
        self.held.insert(key, held);
    }

    /// It was not made.
    pub(super) fn give_back(&mut self, room: Reserved) {
        self.bytes -= room.bytes;
        self.coming -= 1;
    }

    /// Drops what is not wanted any more.
    pub(super) fn retain(&mut self, wanted: impl Fn(&K) -> bool) {
        let unwanted = self.held.keys().filter(|key| !wanted(key));
        for key in unwanted.cloned().collect::<Vec<_>>() {
            self.take(&key);
        }
    }

    pub(super) fn has(&self, key: &K) -> bool {
        self.held.contains_key(key)
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many had to go for others.
    pub(super) fn gone(&self) -> u64 {
        self.gone
    }

    pub(super) fn budget(&self) -> Budget {
        self.budget
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.held.len() + self.coming < self.budget.count
            && self.bytes.saturating_add(bytes) <= self.budget.bytes
    }

    fn next_to_go(&self) -> Option<K> {
        let of_largest = self
            .largest_share()
            .and_then(|largest| self.oldest_idle(|tenant| tenant == largest));
        of_largest.or_else(|| self.oldest_idle(|_| true))
    }

    fn oldest_idle(&self, is_of: impl Fn(TenantId) -> bool) -> Option<K> {
        let is_idle = |key: &K| {
            let held = self.held.get(key);
            held.is_some_and(|held| Arc::strong_count(&held.thing) == 1)
        };
        let mut places = self.order.values();
        let oldest = places.find(|(tenant, key)| is_of(*tenant) && is_idle(key));
        oldest.map(|(_, key)| key.clone())
    }

    /// Who holds a large part of the shelf, and more than anybody else.
    fn largest_share(&self) -> Option<TenantId> {
        let Budget { count, bytes } = self.budget;
        let is_large = |share: &Share| share.count > count / PARTS || share.bytes > bytes / PARTS;
        let part = |share: &Share| {
            let of_count = share.count as f64 / count.max(1) as f64;
            let of_bytes = share.bytes as f64 / bytes.max(1) as f64;
            of_count.max(of_bytes)
        };
        let large = self.shares.iter().filter(|(_, share)| is_large(share));
        let largest = large.max_by(|(one, a), (other, b)| {
            part(a)
                .total_cmp(&part(b))
                .then_with(|| Reverse(one).cmp(&Reverse(other)))
        });
        largest.map(|(tenant, _)| *tenant)
    }

    fn take(&mut self, key: &K) -> Option<Held<V>> {
        let held = self.held.remove(key)?;
        self.order.remove(&held.used);
        self.bytes -= held.bytes;
        if let Some(share) = self.shares.get_mut(&held.tenant) {
            share.count -= 1;
            share.bytes -= held.bytes;
            if share.count == 0 {
                self.shares.remove(&held.tenant);
            }
        }
        Some(held)
    }

    fn next_use(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(count: usize, bytes: usize) -> Shelf<u32, u32> {
        Shelf::new(Budget { count, bytes })
    }

    const TENANT: TenantId = TenantId::from_raw(1);

    fn put(shelf: &mut Shelf<u32, u32>, key: u32, bytes: usize) -> bool {
        put_for(shelf, TENANT, key, bytes)
    }

    fn put_for(shelf: &mut Shelf<u32, u32>, tenant: TenantId, key: u32, bytes: usize) -> bool {
        match shelf.reserve(tenant, bytes) {
            Some((room, _)) => {
                shelf.put(key, Arc::new(key), room);
                true
            }
            None => false,
        }
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut shelf = shelf(3, 1_000);
        assert!((1..=3).all(|key| put(&mut shelf, key, 10)));
        assert!(shelf.get(&1).is_some());
        assert!(put(&mut shelf, 4, 10));
        let here: Vec<u32> = (1..=4).filter(|key| shelf.get(key).is_some()).collect();
        assert_eq!(here, [1, 3, 4]);
        assert_eq!((shelf.len(), shelf.bytes(), shelf.gone()), (3, 30, 1));
    }

    #[test]
    fn as_many_go_as_the_bytes_of_a_new_one_need() {
        let mut shelf = shelf(10, 100);
        assert!((1..=4).all(|key| put(&mut shelf, key, 25)));
        let (room, gone) = shelf.reserve(TENANT, 60).expect("room");
        assert_eq!(
            gone.iter().map(|gone| **gone).collect::<Vec<_>>(),
            [1, 2, 3]
        );
        shelf.put(5, Arc::new(5), room);
        let here: Vec<u32> = (1..=5).filter(|key| shelf.get(key).is_some()).collect();
        assert_eq!((here, shelf.bytes()), (vec![4, 5], 85));
    }

    #[test]
    fn what_is_in_use_stays_and_a_newcomer_is_refused() {
        let mut shelf = shelf(2, 1_000);
        assert!(put(&mut shelf, 1, 10) && put(&mut shelf, 2, 10));
        let in_use = (shelf.get(&1), shelf.get(&2));
        assert!(!put(&mut shelf, 3, 10));
        drop(in_use.0);
        assert!(put(&mut shelf, 3, 10));
        assert!(shelf.get(&1).is_none() && shelf.get(&2).is_some());
    }

    #[test]
    fn nothing_goes_for_one_who_does_not_come_in() {
        let mut shelf = shelf(10, 100);
        assert!((1..=4).all(|key| put(&mut shelf, key, 20)));
        let in_use = (shelf.get(&2), shelf.get(&3));
        assert!(!put(&mut shelf, 5, 70), "two have to stay");
        assert_eq!((shelf.len(), shelf.bytes(), shelf.gone()), (4, 80, 0));
        drop(in_use);
        // In the order in which they were used.
        let (room, gone) = shelf.reserve(TENANT, 60).expect("room");
        let gone: Vec<u32> = gone.iter().map(|gone| **gone).collect();
        assert_eq!(gone, [1, 4]);
        shelf.give_back(room);
    }

    #[test]
    fn what_is_on_its_way_counts() {
        let mut shelf = shelf(2, 100);
        let (first, _) = shelf.reserve(TENANT, 60).expect("room");
        assert!(shelf.reserve(TENANT, 60).is_none());
        let (second, _) = shelf.reserve(TENANT, 40).expect("room");
        assert!(shelf.reserve(TENANT, 0).is_none(), "two are on their way");
        shelf.give_back(second);
        shelf.put(1, Arc::new(1), first);
        assert_eq!((shelf.len(), shelf.bytes()), (1, 60));
    }

    #[test]
    fn one_that_is_larger_than_the_budget_has_the_shelf_to_itself() {
        let mut shelf = shelf(10, 100);
        assert!(put(&mut shelf, 1, 10));
        assert!(put(&mut shelf, 2, 500));
        assert_eq!(shelf.len(), 1);
        assert!(put(&mut shelf, 3, 10), "it goes as any other");
        assert_eq!((shelf.len(), shelf.bytes()), (1, 10));
    }

    #[test]
    fn the_same_again_replaces_it_and_what_is_unwanted_goes() {
        let mut shelf = shelf(10, 100);
        assert!(put(&mut shelf, 1, 10) && put(&mut shelf, 1, 20) && put(&mut shelf, 2, 5));
        assert_eq!((shelf.len(), shelf.bytes()), (2, 25));
        shelf.retain(|key| *key == 2);
        assert_eq!((shelf.len(), shelf.bytes(), shelf.gone()), (1, 5, 0));
        shelf.retain(|_| false);
        assert!(
            shelf.shares.is_empty(),
            "who holds nothing is not remembered"
        );
    }

    /// Sixty tenants have each one thing of ten bytes, with their own number as its key.
    fn neighbours(shelf: &mut Shelf<u32, u32>) {
        for key in 1..=60 {
            assert!(put_for(shelf, TenantId::from_raw(key.into()), key, 10));
        }
    }

    fn of_neighbours(shelf: &Shelf<u32, u32>) -> usize {
        (1..=60).filter(|key| shelf.has(key)).count()
    }

    #[test]
    fn a_tenant_with_thousands_pushes_out_its_own_and_nobody_elses() {
        let many = TenantId::from_raw(99);
        // Too many of them, or too large ones.
        for (count, size) in [(100, 10), (1_000, 100)] {
            let mut shelf = shelf(count, 4_600);
            neighbours(&mut shelf);
            for key in 1_000..9_000 {
                assert!(put_for(&mut shelf, many, key, size));
            }
            assert_eq!(of_neighbours(&shelf), 60);
            let kept = (1_000..9_000).filter(|key| shelf.has(key)).count();
            assert_eq!(kept, 40);
            assert!((8_960..9_000).all(|key| shelf.has(&key)), "its newest");
            // And whoever comes new finds its place there.
            for key in 101..=130 {
                assert!(put_for(&mut shelf, TenantId::from_raw(key.into()), key, 10));
            }
            assert_eq!(of_neighbours(&shelf), 60);
        }
    }

    #[test]
    fn below_a_large_part_only_use_counts() {
        let mut shelf = shelf(64, 1_000);
        neighbours(&mut shelf);
        let few = TenantId::from_raw(99);
        assert!((61..=64).all(|key| put_for(&mut shelf, few, key, 10)));
        assert!(put_for(&mut shelf, TenantId::from_raw(98), 70, 10));
        assert!(!shelf.has(&1) && (2..=64).all(|key| shelf.has(&key)));
    }

    #[test]
    fn what_a_large_part_uses_just_now_stays_and_others_make_room() {
        let mut shelf = shelf(4, 1_000);
        let (many, other) = (TenantId::from_raw(2), TenantId::from_raw(3));
        assert!(put_for(&mut shelf, other, 1, 10));
        assert!((2..=4).all(|key| put_for(&mut shelf, many, key, 10)));
        let in_use: Vec<_> = (2..=4).map(|key| shelf.get(&key)).collect();
        assert!(put_for(&mut shelf, other, 5, 10));
        assert!(!shelf.has(&1) && (2..=5).all(|key| shelf.has(&key)));
        drop(in_use);
    }
}
