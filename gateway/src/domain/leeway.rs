//! What those who want more than their share are left, as the edges of a message's way tell each other.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// All of it.
const ALL: u32 = 1_000;

/// How much of a node those may have who want more than their share.
#[derive(Debug)]
pub struct Leeway {
    share: AtomicU32,
    held_back: AtomicBool,
}

impl Default for Leeway {
    fn default() -> Self {
        Self {
            share: AtomicU32::new(ALL),
            held_back: AtomicBool::new(false),
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

    /// Is something kept from going on, so that others wait less? Then what they wait for still is not theirs alone.
    pub fn hold_back(&self, held_back: bool) {
        self.held_back.store(held_back, Ordering::Relaxed);
    }

    pub fn holds_back(&self) -> bool {
        self.held_back.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_until_told_otherwise_and_never_more() {
        let leeway = Leeway::default();
        assert_eq!((leeway.share(), leeway.holds_back()), (1.0, false));
        for (told, share) in [(0.25, 0.25), (7.0, 1.0), (-1.0, 0.0)] {
            leeway.set(told);
            assert_eq!(leeway.share(), share);
        }
    }
}
