//! Who has most of the turns lately: it gives way to the others before they have waited for it. Pure.
//!
//! A flood that the node keeps up with has few turns under way at any time, so that its share of the slots does not tell it from
//! the others; what it begins does. By the time the others' waiting has been measured it has had hundreds.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::domain::{TenantId, Timestamp};

/// Turns are counted for so long. A guess: a few commits.
const COUNTED_FOR: Duration = Duration::from_millis(100);
/// Of these, a tenant that began more than so many, and more than so great a part of all, takes more than the others.
const MANY: u32 = 16;
const PART: u32 = 3;
/// So long after it did so last. A guess: what it has given up shows meanwhile.
const LASTS: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(super) struct Takers {
    since: Timestamp,
    begun: HashMap<TenantId, u32>,
    all: u32,
    until: BTreeMap<TenantId, Timestamp>,
}

impl Takers {
    /// A turn of this tenant begins.
    pub(super) fn begins(&mut self, tenant: TenantId, now: Timestamp) {
        if now >= self.since.plus(COUNTED_FOR) || now < self.since {
            self.since = now;
            self.begun.clear();
            self.all = 0;
            // One that lies far ahead is from before the clock went back.
            self.until
                .retain(|_, until| (now..=now.plus(LASTS)).contains(until));
        }
        self.all += 1;
        let begun = self.begun.entry(tenant).or_default();
        *begun += 1;
        if *begun > MANY && PART * *begun > self.all {
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
                    takers.begins(TenantId::from_raw(tenant), now);
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
            let took = second(&mut Takers::default(), 1_000_000, each);
            assert_eq!(took, expected, "{each:?}");
        }
    }

    #[test]
    fn it_is_known_within_its_first_turns() {
        let mut takers = Takers::default();
        let (flood, now) = (TenantId::from_raw(1), Timestamp::from_millis(1_000));
        for n in 0..=MANY {
            assert!(!takers.has(flood), "after {n}");
            takers.begins(flood, now);
        }
        assert!(takers.has(flood));
    }

    #[test]
    fn it_ends_a_while_after_it_begins_few() {
        let mut takers = Takers::default();
        assert_eq!(second(&mut takers, 1_000_000, &[1_000, 100]), [1]);
        for ms in [1_001_100, 1_001_400] {
            takers.begins(TenantId::from_raw(1), Timestamp::from_millis(ms));
            assert!(takers.has(TenantId::from_raw(1)), "{ms}");
        }
        takers.begins(TenantId::from_raw(2), Timestamp::from_millis(1_001_600));
        assert!(!takers.has(TenantId::from_raw(1)));
    }

    #[test]
    fn a_clock_that_goes_back_holds_nobody() {
        let mut takers = Takers::default();
        assert_eq!(second(&mut takers, 1_000_000_000, &[1_000]), [1]);
        takers.begins(TenantId::from_raw(2), Timestamp::from_millis(1_000_000));
        assert_eq!(takers.all().count(), 0);
    }
}
