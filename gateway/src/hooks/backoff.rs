//! How long to wait: for an event that failed, and for an endpoint that fails every time.

use std::time::Duration;

/// After an event's first failure, its second … and from the last on always so. Fast at first: most troubles are a
/// deployment of a few seconds.
const EVENT: [u64; 9] = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 14_400];

/// Failures in a row after which the endpoint, not the event, is what is wrong.
pub(super) const OPENS: i64 = 5;

/// After the failure that opened the circuit, and each that follows.
const ENDPOINT: [u64; 7] = [10, 30, 60, 120, 300, 600, 900];

/// The pause before attempt `attempts + 1` of an event. `chance` is 0..1: a fifth of it is jitter, so that a thousand
/// events that failed together do not come back together.
pub(super) fn of_event(attempts: i64, chance: f64) -> Duration {
    jittered(step(&EVENT, attempts - 1), chance)
}

/// How long an endpoint with so many failures in a row is left alone. `None`: not at all.
pub(super) fn of_endpoint(failures: i64, chance: f64) -> Option<Duration> {
    (failures >= OPENS).then(|| jittered(step(&ENDPOINT, failures - OPENS), chance))
}

fn step(table: &[u64], n: i64) -> u64 {
    let n = usize::try_from(n).unwrap_or(0).min(table.len() - 1);
    table[n]
}

fn jittered(seconds: u64, chance: f64) -> Duration {
    Duration::from_secs(seconds).mul_f64(0.9 + 0.2 * chance.clamp(0.0, 1.0))
}

/// A number in 0..1 that is another one for each endpoint, event and attempt, and the same when asked again.
pub(super) fn chance(hook: i64, seq: i64, attempts: i64) -> f64 {
    use std::hash::Hasher as _;
    let mut hasher = siphasher::sip::SipHasher13::new();
    hasher.write_i64(hook);
    hasher.write_i64(seq);
    hasher.write_i64(attempts);
    (hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_a_tenth() {
        let mut last = Duration::ZERO;
        for attempts in 1..=9 {
            let (low, high) = (of_event(attempts, 0.0), of_event(attempts, 1.0));
            assert!(low >= last.mul_f64(0.8) && low < high, "{attempts}");
            last = low;
        }
        assert_eq!(of_event(100, 0.5), Duration::from_secs(14_400));
        // A day, after which an event is given up, holds twelve pauses.
        let after = |pauses| -> Duration { (1..=pauses).map(|n| of_event(n, 0.5)).sum() };
        let day = Duration::from_secs(86_400);
        assert!(after(12) < day && day < after(13), "{:?}", after(12));
    }

    #[test]
    fn an_endpoint_is_left_alone_from_the_fifth_failure_on() {
        assert_eq!(of_endpoint(4, 0.5), None);
        assert_eq!(of_endpoint(5, 0.5), Some(Duration::from_secs(10)));
        assert_eq!(of_endpoint(500, 0.5), Some(Duration::from_secs(900)));
    }

    #[test]
    fn chance_is_spread_and_repeatable() {
        let drawn: Vec<f64> = (0..1000).map(|seq| chance(7, seq, 1)).collect();
        let mean = drawn.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert!((chance(7, 3, 1) - drawn[3]).abs() < f64::EPSILON);
    }
}
