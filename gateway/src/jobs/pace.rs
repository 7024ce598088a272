//! How long work yields to traffic: while there is some, a step is followed by a rest in proportion to its length. So do
//! jobs, and whoever takes a long list in.
//!
//! A step holds SQLite's one writer, or PostgreSQL's and the machine's attention; somebody who writes to a business meets
//! it four times on the way to the reply. So steps are short (a kind's own care), and few beside traffic.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A rest is so many times the step's length. A guess; `bench` measures what it costs a turn (docs/performance.md).
const REST: u32 = 20;
/// A step's length has so many of the shortest rests. Also where nobody is there to be kept waiting another program may
/// have SQLite's file open: it writes when it happens to ask between two steps.
const SPARED: u32 = 4;
/// No longer, whatever a step took: a slow step is the database's bad moment, not work done.
const LONGEST: Duration = Duration::from_secs(1);

/// Whether this node hears from anybody. Cheap to clone; each clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    passed: Arc<AtomicU64>,
    is_elsewhere: bool,
}

impl Traffic {
    /// That of other processes on the same database, which nobody hears here: there may be some at any time.
    pub fn elsewhere() -> Self {
        Self {
            is_elsewhere: true,
            ..Self::default()
        }
    }

    /// Webhooks have been taken in.
    pub fn passes(&self) {
        self.passed.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

/// How many steps in a row may find no traffic between them before there is none: a step is shorter than the pauses
/// between the batches of a busy node.
const QUIET_STEPS: u32 = 8;

/// One worker's pace.
#[derive(Debug)]
pub struct Pace {
    traffic: Traffic,
    seen: u64,
    quiet: u32,
}

impl Pace {
    pub fn beside(traffic: &Traffic) -> Self {
        Self {
            traffic: traffic.clone(),
            seen: traffic.count(),
            quiet: QUIET_STEPS,
        }
    }

    /// Rests after a step that took so long.
    pub async fn rest(&mut self, took: Duration) {
        tokio::time::sleep(self.after(took)).await;
    }

    fn after(&mut self, took: Duration) -> Duration {
        let now = self.traffic.count();
        self.quiet = match now == self.seen && !self.traffic.is_elsewhere {
            true => self.quiet.saturating_add(1),
            false => 0,
        };
        self.seen = now;
        let rest = match self.quiet < QUIET_STEPS {
            true => took * REST,
            false => took / SPARED,
        };
        rest.min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(3);

    #[test]
    fn a_job_rests_while_there_is_traffic_and_goes_on_at_full_speed_when_it_has_ended() {
        let traffic = Traffic::default();
        let mut pace = Pace::beside(&traffic);
        assert_eq!(pace.after(STEP), STEP / SPARED);
        traffic.passes();
        for _ in 0..QUIET_STEPS {
            assert_eq!(pace.after(STEP), STEP * REST);
        }
        assert_eq!(pace.after(STEP), STEP / SPARED);
        traffic.clone().passes();
        assert_eq!(pace.after(STEP), STEP * REST, "it begins again");
    }

    #[test]
    fn what_nobody_hears_here_is_yielded_to_at_any_time() {
        let mut pace = Pace::beside(&Traffic::elsewhere());
        for _ in 0..2 * QUIET_STEPS {
            assert_eq!(pace.after(STEP), STEP * REST);
        }
    }

    #[test]
    fn no_rest_is_long() {
        let traffic = Traffic::default();
        let mut pace = Pace::beside(&traffic);
        traffic.passes();
        assert_eq!(pace.after(Duration::from_secs(3_600)), LONGEST);
    }
}
