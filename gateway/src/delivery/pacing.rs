//! How fast sends may go: one person (GCRA) and one number (token bucket). Pure: time is given.

use std::time::Duration;

use crate::domain::Timestamp;
use crate::graph::errors::{NUMBER_CUT, NUMBER_RECOVERY_PER_MINUTE};

/// To one person: one message in six seconds (facts §6.7) …
const PAIR_INTERVAL: Duration = Duration::from_secs(6);
/// … and up to 45 at once, borrowed from the future.
const PAIR_BURST: u32 = 45;

/// May a send to this person go now? The debt after it, or when it may.
///
/// The debt is GCRA's theoretical arrival time; one value says it all, so a restart forgets nothing.
pub(super) fn pair(debt: Timestamp, now: Timestamp) -> Result<Timestamp, Timestamp> {
    let free_at = debt.minus(PAIR_INTERVAL * (PAIR_BURST - 1));
    if now < free_at {
        return Err(free_at);
    }
    Ok(debt.max(now).plus(PAIR_INTERVAL))
}

/// A number's share of Meta's throughput, as tokens.
#[derive(Debug, Clone)]
pub(super) struct NumberRate {
    /// Messages a second that Meta allows.
    full: f64,
    /// What we take of it: cut by 130429, won back with time.
    rate: f64,
    tokens: f64,
    at: Timestamp,
    /// When it was cut last.
    cut_at: Timestamp,
}

/// The part of a second's messages that may go at once. A guess: small enough that any second holds hardly more than
/// Meta allows.
const BURST: f64 = 0.125;

impl NumberRate {
    pub(super) fn new(throughput: i64, now: Timestamp) -> Self {
        let full = (throughput.max(1)) as f64;
        let mut rate = Self {
            full,
            rate: full,
            tokens: 0.0,
            at: now,
            cut_at: Timestamp::ZERO,
        };
        rate.tokens = rate.burst();
        rate
    }

    /// Meta allows another throughput now. What was cut stays cut in proportion.
    pub(super) fn allow(&mut self, throughput: i64) {
        let full = (throughput.max(1)) as f64;
        if (full - self.full).abs() >= 1.0 {
            self.rate *= full / self.full;
            self.full = full;
        }
    }

    /// Messages that it sends in two seconds at Meta's full rate, at least one.
    pub(super) fn in_two_seconds(&self) -> usize {
        (self.full * 2.0) as usize
    }

    fn burst(&self) -> f64 {
        (self.rate * BURST).max(1.0)
    }

    fn refill(&mut self, now: Timestamp) {
        let passed = now.since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        let recovery = self.full * NUMBER_RECOVERY_PER_MINUTE / 60.0 * passed;
        self.rate = (self.rate + recovery).min(self.full);
        self.tokens = (self.tokens + self.rate * passed).min(self.burst());
    }

    /// Takes a token if there is one.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        self.refill(now);
        let there = self.tokens >= 1.0;
        if there {
            self.tokens -= 1.0;
        }
        there
    }

    /// A token was taken for a message that did not go.
    pub(super) fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min(self.burst());
    }

    /// Messages came in: Meta counts them like ours (facts §6.7), and refuses none of them. What they take beyond our
    /// tokens is owed, a second's worth at most: by then Meta's own count has forgotten them.
    pub(super) fn charge(&mut self, messages: u32, now: Timestamp) {
        self.refill(now);
        self.tokens = (self.tokens - f64::from(messages)).max(-self.full);
    }

    /// When there is a token again; now, if there is one.
    pub(super) fn next_at(&self, now: Timestamp) -> Timestamp {
        let mut then = self.clone();
        then.refill(now);
        if then.tokens >= 1.0 {
            return now;
        }
        // Whole milliseconds, the clock's step, rounded up: else the wait could be nothing and spin.
        let millis = ((1.0 - then.tokens) / then.rate * 1000.0).ceil();
        now.plus(Duration::from_millis(millis as u64))
    }

    /// Meta said 130429 to a POST that was claimed at `claimed_at`.
    ///
    /// A burst that was under way together is refused together, and its answers tell one thing, not as many as there
    /// are: only a POST from after the last cut says that the cut was not enough.
    pub(super) fn cut(&mut self, claimed_at: Timestamp, now: Timestamp) {
        self.refill(now);
        if claimed_at <= self.cut_at {
            return;
        }
        self.cut_at = now;
        self.rate = (self.rate * NUMBER_CUT).max(1.0);
        self.tokens = self.tokens.min(self.burst());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + millis)
    }

    #[test]
    fn a_person_gets_45_at_once_and_then_one_in_six_seconds() {
        let mut debt = Timestamp::ZERO;
        for n in 0..45 {
            debt = pair(debt, at(0)).unwrap_or_else(|_| panic!("message {n} must go"));
        }
        assert_eq!(pair(debt, at(0)), Err(at(6_000)));
        debt = pair(debt, at(6_000)).expect("six seconds later one more");
        assert_eq!(pair(debt, at(6_000)), Err(at(12_000)));
        assert!(pair(debt, at(3_600_000)).is_ok());
    }

    #[test]
    fn a_number_sends_at_its_rate_and_hardly_more_in_any_second() {
        let mut rate = NumberRate::new(80, at(0));
        let sent = (0..1_000).filter(|&ms| rate.take(at(ms))).count();
        assert!((80..=91).contains(&sent), "{sent}");
        let sent = (1_000..2_000).filter(|&ms| rate.take(at(ms))).count();
        assert!((79..=81).contains(&sent), "{sent}");
    }

    #[test]
    fn a_number_whose_throughput_is_raised_sends_faster_at_once() {
        let mut rate = NumberRate::new(80, at(0));
        rate.allow(1_000);
        let sent = (0..1_000).filter(|&ms| rate.take(at(ms))).count();
        assert!(sent > 900, "{sent}");
    }

    #[test]
    fn the_next_token_comes_when_it_says() {
        let mut rate = NumberRate::new(80, at(0));
        while rate.take(at(0)) {}
        let next = rate.next_at(at(0));
        assert!(next > at(0) && next <= at(13));
        assert!(!rate.take(next.minus(Duration::from_millis(2))));
        assert!(rate.take(next));
    }

    #[test]
    fn a_throttle_cuts_a_fifth_and_five_percent_a_minute_come_back() {
        let mut rate = NumberRate::new(100, at(0));
        rate.cut(at(0), at(0));
        assert!((rate.rate - 80.0).abs() < 0.01);
        rate.refill(at(60_000));
        assert!((rate.rate - 85.0).abs() < 0.01);
        rate.refill(at(600_000));
        assert!((rate.rate - 100.0).abs() < 0.01);
    }

    #[test]
    fn a_burst_that_is_refused_together_cuts_once() {
        let mut rate = NumberRate::new(100, at(0));
        for answered in 0..20 {
            rate.cut(at(0), at(100 + answered * 100));
        }
        assert!(rate.rate > 80.0, "{}", rate.rate);
        rate.cut(at(101), at(5_000));
        assert!(rate.rate < 70.0, "{}", rate.rate);
    }

    #[test]
    fn messages_that_come_in_use_the_rate_and_are_forgotten_within_a_second() {
        let mut rate = NumberRate::new(80, at(0));
        rate.charge(40, at(0));
        let sent = (0..1_000).filter(|&ms| rate.take(at(ms))).count();
        assert!((40..=51).contains(&sent), "{sent}");
        rate.charge(100_000, at(1_000));
        let next = rate.next_at(at(1_000));
        assert!(
            next > at(2_000) && next <= at(2_100),
            "{}",
            next.millis() - at(0).millis()
        );
    }

    #[test]
    fn a_token_that_is_given_back_can_be_taken_again_and_none_is_won() {
        let mut rate = NumberRate::new(8, at(0));
        assert!(rate.take(at(0)) && !rate.take(at(0)));
        rate.give_back();
        rate.give_back();
        assert!(rate.take(at(0)) && !rate.take(at(0)));
    }
}
