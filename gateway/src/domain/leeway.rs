//! What those who want more than their share are left, as the edges of a message's way tell each other.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// All of it.
const ALL: u32 = 1_000;

/// How much of a node those may have who want more than their share.
#[derive(Debug)]
pub struct Leeway {
    share: AtomicU32,
    backlog: AtomicBool,
}

impl Default for Leeway {
    fn default() -> Self {
        Self {
            share: AtomicU32::new(ALL),
            backlog: AtomicBool::new(false),
        }
    }
}

impl Leeway {
    /// Of 1, which is all of it. Told by whoever measures how long the others wait.
    pub fn set(&self, share: f64) {
        let share = (share * f64::from(ALL)).clamp(0.0, f64::from(ALL));
        self.share.store(share as u32, Ordering::Relaxed);
    }

    pub fn share(&self) -> f64 {
        f64::from(self.share.load(Ordering::Relaxed)) / f64::from(ALL)
    }

    /// Is there a backlog before the turns, which may take all of it? Then what others wait for is not theirs alone.
    pub fn tell_backlog(&self, backlog: bool) {
        self.backlog.store(backlog, Ordering::Relaxed);
    }

    pub fn has_backlog(&self) -> bool {
        self.backlog.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_until_told_otherwise_and_never_more() {
        let leeway = Leeway::default();
        assert_eq!((leeway.share(), leeway.has_backlog()), (1.0, false));
        for (told, share) in [(0.25, 0.25), (7.0, 1.0), (-1.0, 0.0)] {
            leeway.set(told);
            assert_eq!(leeway.share(), share);
        }
    }
}
