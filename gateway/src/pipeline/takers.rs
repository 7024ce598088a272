//! Who takes most of the node lately, in turns or in work: it gives way to the others before they have waited for it. Pure.
//!
//! A flood that the node keeps up with has few turns under way at any time, so that its share of the slots does not tell it from
//! the others; what it begins does. By the time the others' waiting has been measured it has had hundreds. Few turns of a plugin
//! that loops take as much, and each of them is answered and told of like any other besides.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::domain::{TenantId, Timestamp};

/// What is begun is counted for so long. A guess: a few commits.
const COUNTED_FOR: Duration = Duration::from_millis(100);
/// Of these, a tenant that began more than so many turns, and more than so great a part of all, takes more than the others.
const MANY: u32 = 16;
const PART: u32 = 3;
/// So does one whose turns take more work than this for each guest thread, and half as much again as an equal part of all: a
/// twentieth of what they can do.
const MUCH: u64 = 50_000_000;
/// So long after it did so last. A guess: what it has given up shows meanwhile.
const LASTS: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Takers {
    much: u64,
    since: Timestamp,
    begun: HashMap<TenantId, Begun>,
    all: Begun,
    until: BTreeMap<TenantId, Timestamp>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Begun {
    turns: u32,
    work: u64,
}

impl Begun {
    fn add(&mut self, work: u64) {
        self.turns += 1;
        self.work = self.work.saturating_add(work);
    }
}

impl Takers {
    pub(super) fn new(guest_threads: usize) -> Self {
        Self {
            much: MUCH.saturating_mul(guest_threads.max(1) as u64),
            since: Timestamp::default(),
            begun: HashMap::new(),
            all: Begun::default(),
            until: BTreeMap::new(),
        }
    }

    /// A turn of this tenant begins, which takes so much work as far as it is known.
    pub(super) fn begins(&mut self, tenant: TenantId, work: u64, now: Timestamp) {
        if now >= self.since.plus(COUNTED_FOR) || now < self.since {
            self.since = now;
            self.begun.clear();
            self.all = Begun::default();
            // One that lies far ahead is from before the clock went back.
            self.until
                .retain(|_, until| (now..=now.plus(LASTS)).contains(until));
        }
        self.all.add(work);
        let begun = self.begun.entry(tenant).or_default();
        begun.add(work);
        let begun = *begun;
        let equal = self.all.work / self.begun.len() as u64;
        let many = begun.turns > MANY && PART * begun.turns > self.all.turns;
        let much = begun.work > self.much && begun.work > equal + equal / 2;
        if many || much {
            self.until.insert(tenant, now.plus(LASTS));
        }
    }

    /// Does it take more than the others, or has it lately?
    pub(super) fn has(&self, tenant: TenantId) -> bool {
        self.until.contains_key(&tenant)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = TenantId> {
        self.until.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second in which each of these tenants begins so many turns, evenly; answers who takes more than the others at its end.
    fn second(takers: &mut Takers, from: i64, each: &[i64]) -> Vec<i64> {
        for ms in 0..1_000 {
            let now = Timestamp::from_millis(from + ms);
            for (tenant, turns) in (1..).zip(each) {
                for _ in (ms * turns / 1_000)..((ms + 1) * turns / 1_000) {
                    takers.begins(TenantId::from_raw(tenant), 0, now);
                }
            }
        }
        takers.all().map(TenantId::raw).collect()
    }

    #[test]
    fn who_begins_a_third_of_many_turns_takes_more_than_the_others() {
        for (each, expected) in [
            (&[1_400, 100, 100, 100, 100][..], &[1][..]),
            (&[500, 500, 500, 500], &[]),
            (&[900, 900, 100], &[1, 2]),
            (&[160, 3], &[]),
            (&[250, 3], &[1]),
            (&[300, 100, 400, 50, 100, 100], &[3]),
        ] {
            let took = second(&mut Takers::new(2), 1_000_000, each);
            assert_eq!(took, expected, "{each:?}");
        }
    }

    #[test]
    fn it_is_known_within_its_first_turns() {
        let mut takers = Takers::new(2);
        let (flood, now) = (TenantId::from_raw(1), Timestamp::from_millis(1_000));
        for n in 0..=MANY {
            assert!(!takers.has(flood), "after {n}");
            takers.begins(flood, 0, now);
        }
        assert!(takers.has(flood));
    }

    #[test]
    fn who_takes_much_work_in_few_turns_takes_more_than_the_others() {
        const LOOP: u64 = 50_000_000;
        for (looping, each, expected) in [
            (&[(1, 10), (2, 10)][..], 4, &[1, 2][..]),
            // A hundredth of a second in a tenth of one.
            (&[(1, 2)], 4, &[]),
            (&[(1, 3)], 4, &[1]),
            // All alike: none takes more than an equal part.
            (&[(1, 10), (2, 10), (3, 10)], 0, &[]),
        ] {
            let mut takers = Takers::new(2);
            for n in 0..30 {
                let now = Timestamp::from_millis(1_000_000 + 3 * n);
                for tenant in 100..100 + each {
                    takers.begins(TenantId::from_raw(tenant), 300_000, now);
                }
                for (tenant, turns) in looping {
                    if n % 3 == 0 && n / 3 < *turns {
                        takers.begins(TenantId::from_raw(*tenant), LOOP, now);
                    }
                }
            }
            let took: Vec<i64> = takers.all().map(TenantId::raw).collect();
            assert_eq!(took, expected, "{looping:?} beside {each}");
        }
    }

    #[test]
    fn it_ends_a_while_after_it_begins_few() {
        let mut takers = Takers::new(2);
        assert_eq!(second(&mut takers, 1_000_000, &[1_000, 100]), [1]);
        for ms in [1_001_100, 1_001_400] {
            takers.begins(TenantId::from_raw(1), 0, Timestamp::from_millis(ms));
            assert!(takers.has(TenantId::from_raw(1)), "{ms}");
        }
        takers.begins(TenantId::from_raw(2), 0, Timestamp::from_millis(1_001_600));
        assert!(!takers.has(TenantId::from_raw(1)));
    }

    #[test]
    fn a_clock_that_goes_back_holds_nobody() {
        let mut takers = Takers::new(2);
        assert_eq!(second(&mut takers, 1_000_000_000, &[1_000]), [1]);
        takers.begins(TenantId::from_raw(2), 0, Timestamp::from_millis(1_000_000));
        assert_eq!(takers.all().count(), 0);
    }
}
