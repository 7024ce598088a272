//! What is kept in memory within a budget: what was used last longest ago goes first, what is in use stays. Pure.
//!
//! Room is taken before a thing is made, so that what is on its way counts too: when nothing can go, the answer is no,
//! and whoever asked comes again.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

/// How much may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    pub count: usize,
    pub bytes: usize,
}

/// Things by their keys.
#[derive(Debug)]
pub(super) struct Shelf<K, V> {
    budget: Budget,
    held: HashMap<K, Held<V>>,
    /// Keys by when they were used last.
    order: BTreeMap<u64, K>,
    uses: u64,
    /// Of all that is held or on its way.
    bytes: usize,
    coming: usize,
    gone: u64,
}

#[derive(Debug)]
struct Held<V> {
    thing: Arc<V>,
    bytes: usize,
    used: u64,
}

/// Room for a thing that is being made. It goes back with [`Shelf::put`] or [`Shelf::give_back`].
#[derive(Debug)]
#[must_use]
pub(super) struct Reserved(usize);

impl<K: Clone + Eq + Hash, V> Shelf<K, V> {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            budget,
            held: HashMap::new(),
            order: BTreeMap::new(),
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
        if let Some(key) = self.order.remove(&held.used) {
            self.order.insert(used, key);
        }
        held.used = used;
        Some(held.thing.clone())
    }

    /// Makes room for a thing of this size, or says that there is none. One that is larger than the budget has the shelf
    /// to itself: a budget that is too small makes a node slow, not deaf. What had to go comes back, to be dropped without the
    /// shelf's lock.
    pub(super) fn reserve(&mut self, bytes: usize) -> Option<(Reserved, Vec<Arc<V>>)> {
        let mut gone = Vec::new();
        while !self.has_room(bytes) {
            let is_idle = |key: &&K| {
                let held = self.held.get(*key);
                held.is_some_and(|held| Arc::strong_count(&held.thing) == 1)
            };
            let oldest = self.order.values().find(is_idle).cloned();
            match oldest {
                Some(key) => {
                    gone.extend(self.remove(&key));
                    self.gone += 1;
                }
                None if self.held.is_empty() && self.coming == 0 => break,
                None => return None,
            }
        }
        self.bytes += bytes;
        self.coming += 1;
        Some((Reserved(bytes), gone))
    }

    /// Puts a thing into the room that was made for it.
    pub(super) fn put(&mut self, key: K, thing: Arc<V>, room: Reserved) {
        self.remove(&key);
        self.coming -= 1;
        let used = self.next_use();
        self.order.insert(used, key.clone());
        let bytes = room.0;
        self.held.insert(key, Held { thing, bytes, used });
    }

    /// It was not made.
    pub(super) fn give_back(&mut self, room: Reserved) {
        self.bytes -= room.0;
        self.coming -= 1;
    }

    /// Drops what is not wanted any more.
    pub(super) fn retain(&mut self, wanted: impl Fn(&K) -> bool) {
        let unwanted = self.held.keys().filter(|key| !wanted(key));
        for key in unwanted.cloned().collect::<Vec<_>>() {
            self.remove(&key);
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

    fn remove(&mut self, key: &K) -> Option<Arc<V>> {
        let held = self.held.remove(key)?;
        self.order.remove(&held.used);
        self.bytes -= held.bytes;
        Some(held.thing)
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

    fn put(shelf: &mut Shelf<u32, u32>, key: u32, bytes: usize) -> bool {
        match shelf.reserve(bytes) {
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
        let (room, gone) = shelf.reserve(60).expect("room");
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
    fn what_is_on_its_way_counts() {
        let mut shelf = shelf(2, 100);
        let (first, _) = shelf.reserve(60).expect("room");
        assert!(shelf.reserve(60).is_none());
        let (second, _) = shelf.reserve(40).expect("room");
        assert!(shelf.reserve(0).is_none(), "two are on their way");
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
    }
}
