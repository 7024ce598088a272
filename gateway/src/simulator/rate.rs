//! The two rates that Meta holds a number to (`whatsapp-cloud-api.md` §6.7), each as one arrival time that runs ahead
//! of the clock (generic cell rate algorithm).

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::domain::Timestamp;

/// One message to the same person per 6 seconds, 45 of them borrowed from the future.
const PAIR_INTERVAL_US: i64 = 6_000_000;
const PAIR_BURST: i64 = 45;

/// How long until the rate allows the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooFast {
    pub wait: Duration,
}

fn admit(arrival: i64, now: i64, interval: i64, slack: i64) -> Result<i64, TooFast> {
    let arrival = arrival.max(now);
    let ahead = arrival - now - slack;
    if ahead > 0 {
        return Err(TooFast {
            wait: Duration::from_micros(ahead.unsigned_abs()),
        });
    }
    Ok(arrival + interval)
}

fn micros(at: Timestamp) -> i64 {
    at.millis().saturating_mul(1000)
}

/// Pair rate: `arrival` is the pair's state, the result its next state.
pub fn admit_pair(arrival: i64, now: Timestamp, tolerance: Duration) -> Result<i64, TooFast> {
    let slack = PAIR_INTERVAL_US * (PAIR_BURST - 1) + whole_micros(tolerance);
    admit(arrival, micros(now), PAIR_INTERVAL_US, slack)
}

fn whole_micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

/// Throughput of one number, in and out together; a second's worth may come at once.
#[derive(Debug)]
pub struct Throughput {
    interval: i64,
    slack: i64,
    arrival: AtomicI64,
}

impl Throughput {
    pub fn per_second(messages: u32, tolerance: Duration) -> Self {
        let interval = 1_000_000 / i64::from(messages.max(1));
        Self {
            interval,
            slack: 1_000_000 - interval + whole_micros(tolerance),
            arrival: AtomicI64::new(0),
        }
    }

    /// Takes one outbound message, if the rate allows.
    pub fn admit(&self, now: Timestamp) -> Result<(), TooFast> {
        let now = micros(now);
        let mut refusal = None;
        let taken = self
            .arrival
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |arrival| {
                admit(arrival, now, self.interval, self.slack)
                    .map_err(|too_fast| refusal = Some(too_fast))
                    .ok()
            });
        match (taken, refusal) {
            (Err(_), Some(too_fast)) => Err(too_fast),
            _ => Ok(()),
        }
    }

    /// An inbound message uses the same budget but is never refused; the debt stays below a second.
    pub fn charge(&self, now: Timestamp) {
        let now = micros(now);
        let most = now + self.slack + self.interval;
        self.arrival
            .update(Ordering::Relaxed, Ordering::Relaxed, |arrival| {
                (arrival.max(now) + self.interval).min(most)
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_gets_45_at_once_and_then_one_in_6_seconds() {
        let start = Timestamp::from_secs(1_795_000_000);
        let mut arrival = 0;
        for _ in 0..45 {
            arrival = admit_pair(arrival, start, Duration::ZERO).expect("within the burst");
        }
        let refused = admit_pair(arrival, start, Duration::ZERO).expect_err("burst is used up");
        assert_eq!(refused.wait, Duration::from_secs(6));
        let later = start.plus(refused.wait);
        assert!(admit_pair(arrival, later, Duration::ZERO).is_ok());
    }

    #[test]
    fn a_number_gets_its_throughput_each_second_in_and_out_together() {
        let start = Timestamp::from_secs(1_795_000_000);
        let throughput = Throughput::per_second(80, Duration::ZERO);
        (0..30).for_each(|_| throughput.charge(start));
        for _ in 0..50 {
            throughput.admit(start).expect("within the second");
        }
        assert!(throughput.admit(start).is_err());
        let later = start.plus(Duration::from_millis(13));
        assert!(throughput.admit(later).is_ok());
        assert!(throughput.admit(later).is_err());
    }
}
