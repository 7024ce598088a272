//! What is known of backlogs while they last: whose they are, and whether others come beside them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::directory::Snapshot;
use crate::domain::{NumberId, TenantId, Timestamp};
use crate::storage::raw::{Lane, Whose};
use crate::sync::lock;

/// Bodies that wait for as long make their number late. A second less than what monitoring calls a backlog: so often it is told
/// on a node that keeps up; on one that does not, a body is called late some seconds later, of the minute that matters.
pub(super) const LATE: Duration = Duration::from_secs(4);
/// What was told longer ago is not believed.
const BELIEVED_FOR: Duration = Duration::from_secs(3);

/// Told by the attacher, asked by it and by whoever waits for receipts.
#[derive(Debug, Default)]
pub struct Backlogs {
    others: AtomicUsize,
    late: Mutex<Option<(Timestamp, BTreeSet<NumberId>)>>,
}

impl Backlogs {
    /// So many bodies of numbers without backlogs were attached.
    pub fn add_others(&self, bodies: usize) {
        self.others.fetch_add(bodies, Ordering::Relaxed);
    }

    /// How many were attached since it was last asked.
    pub(super) fn take_others(&self) -> usize {
        self.others.swap(0, Ordering::Relaxed)
    }

    /// Only bodies of these numbers wait for long; `None`: it may be anybody's.
    pub(super) fn tell(&self, late: Option<BTreeSet<NumberId>>, now: Timestamp) {
        *lock(&self.late) = late.map(|late| (now, late));
    }

    /// Numbers whose bodies may wait for long; `None`: anybody's may.
    pub fn late(&self, now: Timestamp) -> Option<BTreeSet<NumberId>> {
        let told = lock(&self.late);
        let (at, late) = told.as_ref()?;
        (now >= *at && now.since(*at) < BELIEVED_FOR).then(|| late.clone())
    }
}

/// Those of whom turns enough wait already, while others wait too: what else comes for them waits as a body.
#[derive(Debug)]
pub(super) struct Ahead {
    pub tenants: Arc<BTreeSet<TenantId>>,
    pub snapshot: Arc<Snapshot>,
}

impl Ahead {
    /// Is that lane of one of them?
    pub(super) fn has(&self, lane: Lane) -> bool {
        let entry = match lane.whose {
            Whose::Number(number) if !self.tenants.is_empty() => self.snapshot.number(number),
            _ => None,
        };
        entry.is_some_and(|entry| self.tenants.contains(&entry.tenant.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_long_ago_is_not_believed() {
        let backlogs = Backlogs::default();
        let at = |secs: i64| Timestamp::from_secs(1_795_000_000 + secs);
        assert_eq!(backlogs.late(at(0)), None);
        let late = BTreeSet::from([NumberId::from_raw(1)]);
        backlogs.tell(Some(late.clone()), at(0));
        assert_eq!(backlogs.late(at(2)), Some(late));
        assert_eq!(backlogs.late(at(3)), None);
        assert_eq!(backlogs.late(at(-1)), None, "the clock went back");
        backlogs.tell(None, at(4));
        assert_eq!(backlogs.late(at(4)), None);
    }
}
