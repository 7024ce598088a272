//! Whose turn it is by what their turns cost: an equal share of the CPU for every tenant that wants it. Pure, no clock.
//!
//! Cost is fuel, and memory counted as fuel: measured, the same on a busy machine. Every tenant has an account of what
//! its turns took; who has taken least is next (start-time fair queueing: a newcomer begins where the others stand, so
//! nobody saves up for a flood, and what one took too much it waits for). A turn is charged what the tenant's turns usually take and settled when it is
//! over. Turns that are *heavy* also share a bound on what is under way at once, because a guest thread divides its time
//! among all that it has: without the bound a hundred loops would slow every neighbour a hundredfold. Who is first among
//! the heavy and does not fit keeps the others waiting, so that the heaviest is not passed by for ever.

use std::collections::HashMap;

use crate::domain::TenantId;
use crate::plugin_host::engine::KEEP_RESIDENT;

/// What a turn takes beside its guests: loading, instances, its part of the commit. A guess: 20 µs, in units of fuel.
pub(super) const TURN: u64 = 200_000;
/// A tenant whose turns usually take more is heavy: some 0.2 ms. A menu takes a tenth.
const HEAVY: u64 = 2_000_000;
/// Work of heavy turns under way for each guest thread: two that use all their fuel, so that one runs while the other
/// waits for the store. About 10 ms, with room for what a turn takes beside them.
const UNDER_WAY: u64 = 110_000_000;
/// Turns of a tenant under way of which none has been measured yet: a flood of a plugin that nobody knows begins small.
const UNKNOWN: usize = 16;
/// Accounts that are remembered beside those that wait or run: who was heavy is known to be when it comes again.
const REMEMBERED: usize = 10_000;

/// What each byte of memory costs that does not stay mapped from one guest to the next, in units of fuel: the kernel gives and
/// takes it page by page, and no instruction counts that. A guess: 16 MiB are some 3 ms.
const BYTE: u64 = 2;

/// What a guest's memory costs, as fuel.
pub(super) fn memory(peak: usize) -> u64 {
    BYTE * peak.saturating_sub(KEEP_RESIDENT) as u64
}

#[derive(Debug)]
pub(super) struct Work {
    accounts: HashMap<TenantId, Account>,
    /// Where the first of those who waited stood: newcomers begin here.
    now: u64,
    heavy: u64,
    most_heavy: u64,
}

#[derive(Debug, Clone, Copy)]
struct Account {
    taken: u64,
    /// A moving mean of what a turn takes.
    usual: u64,
    measured: bool,
}

/// What a turn under way was charged. It goes back with [`Work::settle`] or [`Work::refund`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Charge(u64);

impl Charge {
    /// What the turn takes as far as it is known, in units of fuel.
    pub(super) fn work(self) -> u64 {
        self.0
    }
}

impl Work {
    pub(super) fn new(guest_threads: usize) -> Self {
        Self {
            accounts: HashMap::new(),
            now: 0,
            heavy: 0,
            most_heavy: UNDER_WAY.saturating_mul(guest_threads.max(1) as u64),
        }
    }

    /// Where a tenant that waits stands: the least is next.
    pub(super) fn stands_at(&mut self, tenant: TenantId) -> u64 {
        let now = self.now;
        let account = self.account(tenant);
        account.taken = account.taken.max(now);
        account.taken
    }

    pub(super) fn is_heavy(&self, tenant: TenantId) -> bool {
        self.usual(tenant) > HEAVY
    }

    /// May a tenant with so many turns under way have another, as far as it is known?
    pub(super) fn trusts(&self, tenant: TenantId, under_way: usize) -> bool {
        let account = self.accounts.get(&tenant);
        account.is_some_and(|account| account.measured) || under_way < UNKNOWN
    }

    /// Is there room for another turn of a heavy tenant? One always runs.
    pub(super) fn has_room_for(&self, tenant: TenantId) -> bool {
        self.heavy == 0 || self.heavy.saturating_add(self.usual(tenant)) <= self.most_heavy
    }

    /// A turn begins; `least`: where the first of all who waited stood, this tenant or one that has to wait longer.
    pub(super) fn charge(&mut self, tenant: TenantId, least: u64) -> Charge {
        self.now = self.now.max(least);
        let account = self.account(tenant);
        let usual = account.usual;
        account.taken = account.taken.saturating_add(usual);
        self.under_way(usual, u64::saturating_add);
        Charge(usual)
    }

    /// Its guests are done: they took so much fuel.
    pub(super) fn settle(&mut self, tenant: TenantId, charge: Charge, fuel: u64) {
        self.under_way(charge.0, u64::saturating_sub);
        let cost = fuel.saturating_add(TURN);
        let account = self.account(tenant);
        account.taken = account.taken.saturating_sub(charge.0).saturating_add(cost);
        // A quarter at a time: one odd turn does not make a tenant heavy for long, four loops do.
        account.usual = account.usual - account.usual / 4 + cost / 4;
        account.measured = true;
    }

    /// Nothing of it ran.
    pub(super) fn refund(&mut self, tenant: TenantId, charge: Charge) {
        self.under_way(charge.0, u64::saturating_sub);
        let account = self.account(tenant);
        account.taken = account.taken.saturating_sub(charge.0);
    }

    /// A tenant neither waits nor runs any more. Debts stay until the others have caught up.
    pub(super) fn leave(&mut self, tenant: TenantId) {
        if self.is_forgotten(tenant) {
            self.accounts.remove(&tenant);
        } else if self.accounts.len() > REMEMBERED {
            let now = self.now;
            self.accounts.retain(|_, account| account.taken > now);
        }
    }

    fn is_forgotten(&self, tenant: TenantId) -> bool {
        let account = self.accounts.get(&tenant);
        account.is_some_and(|account| account.taken <= self.now && account.usual <= HEAVY)
    }

    fn usual(&self, tenant: TenantId) -> u64 {
        let account = self.accounts.get(&tenant);
        account.map_or(TURN, |account| account.usual)
    }

    fn account(&mut self, tenant: TenantId) -> &mut Account {
        let now = self.now;
        self.accounts.entry(tenant).or_insert(Account {
            taken: now,
            usual: TURN,
            measured: false,
        })
    }

    fn under_way(&mut self, usual: u64, change: impl Fn(u64, u64) -> u64) {
        if usual > HEAVY {
            self.heavy = change(self.heavy, usual);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOG: TenantId = TenantId::from_raw(1);
    const QUIET: TenantId = TenantId::from_raw(2);
    const OTHER: TenantId = TenantId::from_raw(3);
    const LOOP: u64 = 50_000_000;

    /// Runs the turn of whoever stands lowest, so often; answers how many turns each had.
    fn serve(work: &mut Work, turns: usize, costs: &[(TenantId, u64)]) -> HashMap<TenantId, u64> {
        let mut had = HashMap::new();
        for _ in 0..turns {
            let next = costs
                .iter()
                .min_by_key(|(tenant, _)| work.stands_at(*tenant));
            let (tenant, fuel) = *next.expect("somebody");
            let least = work.stands_at(tenant);
            let charge = work.charge(tenant, least);
            work.settle(tenant, charge, fuel);
            *had.entry(tenant).or_default() += 1;
        }
        had
    }

    #[test]
    fn tenants_that_want_it_get_equal_work_whatever_a_turn_costs() {
        let mut work = Work::new(1);
        let costs = [(HOG, LOOP), (QUIET, 800_000), (OTHER, 4_800_000)];
        let had = serve(&mut work, 10_000, &costs);
        let spent = |tenant: TenantId, fuel: u64| had[&tenant] * (fuel + TURN);
        let all: Vec<u64> = costs
            .iter()
            .map(|(tenant, fuel)| spent(*tenant, *fuel))
            .collect();
        let (least, most) = (all.iter().min(), all.iter().max());
        assert!(
            most.expect("some") - least.expect("some") <= LOOP + TURN,
            "{all:?}"
        );
    }

    #[test]
    fn who_takes_memory_is_heavy_and_who_takes_what_is_mapped_is_not() {
        assert_eq!(
            (memory(0), memory(1 << 20), memory(KEEP_RESIDENT)),
            (0, 0, 0)
        );
        assert!(memory(4 << 20) > HEAVY);
        assert!(memory(16 << 20) < LOOP && memory(16 << 20) > LOOP / 2);
    }

    #[test]
    fn equal_turns_take_turns() {
        let mut work = Work::new(1);
        let had = serve(&mut work, 300, &[(HOG, 0), (QUIET, 0), (OTHER, 0)]);
        assert!(had.values().all(|turns| *turns == 100), "{had:?}");
    }

    #[test]
    fn who_comes_late_neither_waits_for_the_past_nor_lives_on_savings() {
        let mut work = Work::new(1);
        serve(&mut work, 1_000, &[(HOG, LOOP)]);
        // The hog was alone: it owes nobody. The newcomer gets as much as it from now on, and no more.
        let had = serve(&mut work, 1_000, &[(HOG, 0), (QUIET, 0)]);
        assert!(
            had[&HOG].abs_diff(had[&QUIET]) <= LOOP / TURN + 1,
            "{had:?}"
        );
        let first = serve(&mut Work::new(1), 1, &[(QUIET, 0), (HOG, 0)]);
        assert_eq!(first[&QUIET], 1);
    }

    #[test]
    fn a_debt_outlives_the_moment_in_which_nothing_waits() {
        let mut work = Work::new(1);
        let charge = work.charge(HOG, 0);
        work.settle(HOG, charge, LOOP);
        work.leave(HOG);
        let had = serve(&mut work, 100, &[(HOG, LOOP), (QUIET, 0)]);
        assert_eq!(had.get(&HOG), None, "it took a hundred turns' worth before");
    }

    #[test]
    fn loops_are_bounded_and_one_always_runs() {
        let mut work = Work::new(2);
        serve(&mut work, 20, &[(HOG, LOOP)]);
        assert!(work.is_heavy(HOG) && !work.is_heavy(QUIET));
        let mut charges = Vec::new();
        while work.has_room_for(HOG) {
            charges.push(work.charge(HOG, 0));
        }
        assert_eq!(charges.len(), 4, "two for each thread");
        assert!(!work.has_room_for(OTHER) || !work.is_heavy(OTHER));
        let all = charges.len();
        for charge in charges {
            work.settle(HOG, charge, LOOP);
        }
        assert_eq!((all, work.heavy), (4, 0));
        let mut larger = Work::new(1);
        serve(&mut larger, 20, &[(HOG, 10 * UNDER_WAY)]);
        assert!(larger.has_room_for(HOG), "larger than the bound, and alone");
    }

    #[test]
    fn what_did_not_run_costs_nothing_and_who_is_light_and_even_is_forgotten() {
        let mut work = Work::new(1);
        let stood = work.stands_at(QUIET);
        let charge = work.charge(QUIET, stood);
        work.refund(QUIET, charge);
        assert_eq!(work.stands_at(QUIET), stood);
        work.leave(QUIET);
        assert!(work.accounts.is_empty());
    }

    #[test]
    fn a_flood_of_whom_nobody_knows_begins_small() {
        let mut work = Work::new(1);
        assert!(work.trusts(HOG, UNKNOWN - 1) && !work.trusts(HOG, UNKNOWN));
        serve(&mut work, 1, &[(HOG, 0)]);
        assert!(work.trusts(HOG, 1_000));
    }

    #[test]
    fn one_odd_turn_makes_nobody_heavy_for_long() {
        let mut work = Work::new(1);
        serve(&mut work, 1, &[(QUIET, LOOP)]);
        assert!(work.is_heavy(QUIET));
        serve(&mut work, 12, &[(QUIET, 0)]);
        assert!(!work.is_heavy(QUIET));
    }
}
