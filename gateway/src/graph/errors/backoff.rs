//! How long to wait: the recipe of facts §7.7, as pure functions of attempt and jitter.

use std::time::Duration;

/// Attempts of one send in all, the first one included.
pub const MAX_ATTEMPTS: u32 = 6;

/// On 130429 a number's rate is multiplied by this …
pub const NUMBER_CUT: f64 = 0.80;
/// … and wins back this share of its full rate every minute.
pub const NUMBER_RECOVERY_PER_MINUTE: f64 = 0.05;

/// Waits after the first, second, … attempt, in seconds.
const WAITS: [u64; 5] = [2, 8, 30, 120, 600];

const PAIR_BLOCK_MAX: Duration = Duration::from_secs(300);

/// How long to wait after attempt number `attempt` (1 is the first). `jitter` in 0..1 spreads it by ±20 %.
pub fn backoff(attempt: u32, jitter: f64) -> Duration {
    let last = WAITS.len() - 1;
    let place = usize::try_from(attempt.saturating_sub(1))
        .unwrap_or(last)
        .min(last);
    jittered(Duration::from_secs(WAITS[place]), jitter)
}

/// How long a pair is blocked after its `n`-th 131056 in a row: `4^n` seconds, at most five minutes.
pub fn pair_block(n: u32) -> Duration {
    4_u64.checked_pow(n).map_or(PAIR_BLOCK_MAX, |secs| {
        Duration::from_secs(secs).min(PAIR_BLOCK_MAX)
    })
}

pub(super) fn jittered(wait: Duration, jitter: f64) -> Duration {
    wait.mul_f64(0.8 + 0.4 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_at_2_8_30_120_and_600_seconds() {
        let waits: Vec<u64> = (1..=7)
            .map(|attempt| backoff(attempt, 0.5).as_secs())
            .collect();
        assert_eq!(waits, [2, 8, 30, 120, 600, 600, 600]);
        assert_eq!(backoff(0, 0.5), backoff(1, 0.5));
    }

    #[test]
    fn jitter_spreads_by_a_fifth_either_way() {
        assert_eq!(backoff(2, 0.0), Duration::from_millis(6_400));
        assert_eq!(backoff(2, 1.0), Duration::from_millis(9_600));
        assert_eq!(backoff(2, f64::INFINITY), backoff(2, 1.0));
    }

    #[test]
    fn a_pair_waits_four_times_longer_each_time() {
        let waits: Vec<u64> = (0..6).map(|n| pair_block(n).as_secs()).collect();
        assert_eq!(waits, [1, 4, 16, 64, 256, 300]);
        assert_eq!(pair_block(u32::MAX), PAIR_BLOCK_MAX);
    }
}
