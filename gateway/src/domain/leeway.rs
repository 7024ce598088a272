//! What those who want more than their share are left, as the edges of a message's way tell each other.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::TenantId;
use crate::sync::lock;

/// All of it.
const ALL: u32 = 1_000;

/// How much of a node those may have who want more than their share.
#[derive(Debug)]
pub struct Leeway {
    share: AtomicU32,
    ahead: Mutex<Arc<BTreeSet<TenantId>>>,
    backlog: AtomicBool,
}

impl Default for Leeway {
    fn default() -> Self {
        Self {
            share: AtomicU32::new(ALL),
            ahead: Mutex::default(),
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

    /// Of these tenants turns enough wait already. Told with the share.
    pub fn tell_ahead(&self, tenants: BTreeSet<TenantId>) {
        let mut ahead = lock(&self.ahead);
        if **ahead != tenants {
            *ahead = Arc::new(tenants);
        }
    }

    /// Whose messages need not come to turns yet: there are others who wait. Nobody's while all may have all of it.
    pub fn ahead(&self) -> Arc<BTreeSet<TenantId>> {
        match self.share() < 1.0 {
            true => lock(&self.ahead).clone(),
            false => Arc::default(),
        }
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

    #[test]
    fn nobody_is_ahead_while_all_may_have_all_of_it() {
        let leeway = Leeway::default();
        let flood = BTreeSet::from([TenantId::from_raw(7)]);
        leeway.tell_ahead(flood.clone());
        assert!(leeway.ahead().is_empty());
        leeway.set(0.5);
        assert_eq!(*leeway.ahead(), flood);
        leeway.tell_ahead(BTreeSet::new());
        assert!(leeway.ahead().is_empty());
    }
}
