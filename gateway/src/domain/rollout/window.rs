//! What a version did lately, here and elsewhere: judged by that, a sudden failure counts however well it did before.
//!
//! Turns are counted, not time: a plugin that is called once a minute is judged by as many turns as a busy one.

use std::collections::{BTreeSet, VecDeque};

use super::{Bounds, Tally};
use crate::domain::ConversationId;
use crate::domain::breaker::LEAST_CONVERSATIONS;

/// Turns that are judged, or `least_turns` where that is more. With some hundred, a version that faults half as often as its
/// bound allows would pass it by chance every few thousand turns. A guess otherwise.
const TURNS: u64 = 1_000;
/// Parts of the window that are forgotten one by one.
const SLICES: u64 = 10;

/// The last turns of a version.
#[derive(Debug, Default)]
pub struct Window {
    slices: VecDeque<Slice>,
    sum: Tally,
    /// What all other nodes had counted when they were heard last.
    elsewhere: Option<Tally>,
}

#[derive(Debug, Default)]
struct Slice {
    done: Tally,
    /// Whose turns were faulty here, as far as it matters, and were any elsewhere?
    failed_for: BTreeSet<ConversationId>,
    failed_elsewhere: bool,
}

impl Window {
    /// Counts a turn here: `count` adds it to what it is given.
    pub fn note(
        &mut self,
        bounds: &Bounds,
        conversation: ConversationId,
        count: impl Fn(&mut Tally),
    ) {
        let faulty = self.sum.faulty();
        count(&mut self.sum);
        let has_failed = self.sum.faulty() > faulty;
        let slice = self.slice(bounds);
        count(&mut slice.done);
        if has_failed && slice.failed_for.len() < LEAST_CONVERSATIONS {
            slice.failed_for.insert(conversation);
        }
        self.forget_old(bounds);
    }

    /// Hears what all other nodes have counted by now. At the first time nobody knows when that was: it counts if it all
    /// fits into the window.
    pub fn hear(&mut self, bounds: &Bounds, elsewhere: Tally) {
        let new = match &self.elsewhere {
            Some(before) => elsewhere.since(before),
            None if elsewhere.turns <= turns(bounds) => elsewhere.clone(),
            None => Tally::default(),
        };
        self.elsewhere = Some(elsewhere);
        self.sum.add(&new);
        let slice = self.slice(bounds);
        slice.done.add(&new);
        slice.failed_elsewhere |= new.faulty() > 0;
        self.forget_old(bounds);
    }

    /// Turns that all other nodes had in all, as far as they were heard.
    pub fn turns_elsewhere(&self) -> u64 {
        self.elsewhere.as_ref().map_or(0, |tally| tally.turns)
    }

    /// Must this candidate go? In words, for its author.
    pub fn verdict(&self, bounds: &Bounds, fuel_limit: u64) -> Option<String> {
        bounds.verdict(&self.sum, fuel_limit)
    }

    /// The same for a version in service, beside what the version before it did. One customer who has found a word that
    /// breaks it takes it from nobody else.
    pub fn verdict_in_service(
        &self,
        bounds: &Bounds,
        before: &Tally,
        fuel_limit: u64,
    ) -> Option<String> {
        let mut bounds = bounds.beside(before, fuel_limit);
        if self.failed_for() < LEAST_CONVERSATIONS {
            bounds.fault_percent = 100.0;
        }
        bounds.verdict_in_service(&self.sum, fuel_limit)
    }

    /// Conversations whose turns in the window were faulty, as far as it matters; all of other nodes are one.
    fn failed_for(&self) -> usize {
        let here = self.slices.iter().flat_map(|slice| &slice.failed_for);
        let here: BTreeSet<_> = here.collect();
        let elsewhere = self.slices.iter().any(|slice| slice.failed_elsewhere);
        here.len() + usize::from(elsewhere)
    }

    fn slice(&mut self, bounds: &Bounds) -> &mut Slice {
        let full = |slice: &Slice| slice.done.turns >= turns(bounds) / SLICES;
        if self.slices.back().is_none_or(full) {
            self.slices.push_back(Slice::default());
        }
        self.slices.back_mut().expect("one was put there")
    }

    fn forget_old(&mut self, bounds: &Bounds) {
        while let Some(oldest) = self.slices.front()
            && self.sum.turns - oldest.done.turns >= turns(bounds)
        {
            self.sum = self.sum.since(&oldest.done);
            self.slices.pop_front();
        }
    }
}

fn turns(bounds: &Bounds) -> u64 {
    bounds.least_turns.max(TURNS)
}

#[cfg(test)]
mod tests {
    use super::super::tests::tally;
    use super::*;

    const FUEL: u64 = 1_000_000;

    fn of(n: u64) -> ConversationId {
        ConversationId::from_raw(n as i64)
    }

    fn turn(fault: bool) -> impl Fn(&mut Tally) {
        move |tally| {
            tally.turns += 1;
            tally.fuel.note(1_000);
            tally.latency.note(900);
            if fault {
                *tally.faults.entry("trap".to_owned()).or_default() += 1;
            }
        }
    }

    fn after(good: u64, bounds: &Bounds) -> Window {
        let mut window = Window::default();
        (0..good).for_each(|n| window.note(bounds, of(n), turn(false)));
        window
    }

    #[test]
    fn a_sudden_failure_counts_however_well_it_went_before() {
        let bounds = Bounds::default();
        let mut window = after(100_000, &bounds);
        let mut faults = 0;
        while window.verdict(&bounds, FUEL).is_none() {
            window.note(&bounds, of(faults), turn(true));
            faults += 1;
        }
        // More than 2 % of 1,000 to 1,100 turns.
        assert!((21..=23).contains(&faults), "{faults}");
    }

    #[test]
    fn the_window_has_so_many_turns_or_as_many_as_are_asked_for_at_least() {
        let bounds = Bounds::default();
        let window = after(10_000, &bounds);
        assert!(
            (1_000..1_100).contains(&window.sum.turns),
            "{}",
            window.sum.turns
        );
        let sum = window
            .slices
            .iter()
            .fold(Tally::default(), |mut sum, slice| {
                sum.add(&slice.done);
                sum
            });
        assert_eq!(sum, window.sum);
        let bounds = Bounds {
            least_turns: 5_000,
            ..bounds
        };
        let window = after(10_000, &bounds);
        assert!(
            (5_000..5_500).contains(&window.sum.turns),
            "{}",
            window.sum.turns
        );
    }

    #[test]
    fn faults_that_are_over_are_forgotten() {
        let bounds = Bounds::default();
        let mut window = Window::default();
        window.note(&bounds, of(0), turn(true));
        (0..1_100).for_each(|n| window.note(&bounds, of(n), turn(false)));
        window.note(&bounds, of(1), turn(true));
        assert_eq!(window.sum.failed(), 1);
        assert_eq!(window.failed_for(), 1);
    }

    #[test]
    fn what_others_see_counts_from_when_it_is_heard_and_before_if_it_is_little() {
        let bounds = Bounds::default();
        let mut window = after(1, &bounds);
        window.hear(&bounds, tally(40, 1));
        window.note(&bounds, of(1), turn(true));
        let why = window.verdict(&bounds, FUEL).expect("one here, one there");
        assert!(why.contains("2 of 42 turns"), "{why}");

        let mut window = after(30, &bounds);
        window.hear(&bounds, tally(100_000, 90_000));
        assert_eq!(
            window.verdict(&bounds, FUEL),
            None,
            "nobody knows when those were"
        );
        window.hear(&bounds, tally(100_010, 90_010));
        let why = window.verdict(&bounds, FUEL).expect("10 faults since");
        assert!(why.contains("10 of 40 turns"), "{why}");
    }

    #[test]
    fn in_service_one_customer_takes_it_from_nobody() {
        let bounds = Bounds::default();
        let before = Tally::default();
        let failing = |conversations: u64| {
            let mut window = after(20, &bounds);
            (0..20).for_each(|n| window.note(&bounds, of(n % conversations), turn(true)));
            window
        };
        let verdict = |window: &Window| window.verdict_in_service(&bounds, &before, FUEL);
        assert_eq!(verdict(&failing(2)), None);
        assert!(verdict(&failing(3)).is_some());
        let mut two = failing(2);
        two.hear(&bounds, tally(1, 1));
        assert!(verdict(&two).is_some(), "another node's is another's");
        // Two others failed once, long ago, and one fails all the time: the window is never without a fault.
        let mut window = Window::default();
        (1..=2).for_each(|n| window.note(&bounds, of(n), turn(true)));
        (0..3_000).for_each(|n| window.note(&bounds, of(0), turn(n % 20 == 0)));
        assert_eq!((window.failed_for(), verdict(&window)), (1, None));
    }
}
