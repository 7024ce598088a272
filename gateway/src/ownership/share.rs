//! What one look at the leases shows, and what a node does about its share. Pure.
//!
//! The table is the truth, never what the node remembers: an answer may be lost after its commit, and a lease after a
//! pause. So everything is decided from the rows, at every look.

use std::collections::BTreeSet;

use crate::domain::bucket::BUCKETS;
use crate::storage::buckets::Lease;
use crate::storage::nodes::LiveSlot;

/// The leases as one look found them.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// Nodes that share the buckets, this one too.
    pub(super) nodes: usize,
    /// The buckets of our slot, in order.
    pub(super) ours: Vec<Lease>,
    /// Buckets that nobody lives to own.
    pub(super) free: usize,
    /// Others without a life line, as slot and holder: dead, or cut off from the database for a moment.
    pub(super) silent: BTreeSet<(u16, String)>,
}

/// What to do about the share.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Keep,
    Take(usize),
    Leave(Vec<Lease>),
}

impl View {
    /// `leases` must have been read before `live`: a slot that is ours in the later one was ours in the earlier one.
    /// `held`: slots whose life line somebody holds.
    pub(super) fn new(
        me: (u16, &str),
        leases: Vec<(Lease, i64)>,
        live: Vec<LiveSlot>,
        held: &[u16],
    ) -> Self {
        let alive: BTreeSet<i64> = live.iter().map(|slot| i64::from(slot.number)).collect();
        let is_me = |slot: &LiveSlot| (slot.number, slot.holder.as_str()) == me;
        let lives = live.iter().any(is_me);
        Self {
            nodes: live.iter().filter(|slot| slot.is_node()).count().max(1),
            free: leases
                .iter()
                .filter(|(_, slot)| !alive.contains(slot))
                .count(),
            ours: leases
                .into_iter()
                .filter_map(|(lease, slot)| (lives && slot == i64::from(me.0)).then_some(lease))
                .collect(),
            silent: live
                .into_iter()
                .filter(|slot| slot.number != me.0 && !held.contains(&slot.number))
                .map(|slot| (slot.number, slot.holder))
                .collect(),
        }
    }

    /// SQLite has one process: what it does not own, nobody does.
    pub(super) fn alone(self) -> Self {
        Self {
            nodes: 1,
            free: usize::from(BUCKETS) - self.ours.len(),
            silent: BTreeSet::new(),
            ..self
        }
    }

    /// `owned`: ours, without what is leaving.
    pub(super) fn step(&self, owned: &[Lease]) -> Step {
        let share = usize::from(BUCKETS).div_ceil(self.nodes);
        let lacking = share.saturating_sub(owned.len()).min(self.free);
        if owned.len() > share {
            Step::Leave(owned[share..].to_vec())
        } else if lacking > 0 {
            Step::Take(lacking)
        } else {
            Step::Keep
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Bucket;
    use crate::storage::nodes::VERB;

    const ME: (u16, &str) = (1, "me");

    fn lease(bucket: i64) -> Lease {
        Lease {
            bucket: Bucket::from_raw(bucket).expect("a bucket"),
            epoch: 7,
        }
    }

    /// The first `ours` buckets are slot 1's, the next `theirs` slot 2's, the others nobody's.
    fn leases(ours: i64, theirs: i64) -> Vec<(Lease, i64)> {
        let owner = |bucket| match bucket {
            _ if bucket < ours => 1,
            _ if bucket < ours + theirs => 2,
            _ => -1,
        };
        (0..i64::from(BUCKETS))
            .map(|bucket| (lease(bucket), owner(bucket)))
            .collect()
    }

    fn node(number: u16, holder: &str) -> LiveSlot {
        let holder = holder.to_owned();
        LiveSlot { number, holder }
    }

    #[test]
    fn a_node_that_joins_is_given_its_share() {
        let live = vec![node(1, "me"), node(2, "other")];
        let view = View::new(ME, leases(256, 0), live.clone(), &[1, 2]);
        let Step::Leave(leaving) = view.step(&view.ours) else {
            panic!("half of them must go");
        };
        assert_eq!(leaving.len(), 128);
        let view = View::new((2, "other"), leases(128, 0), live, &[1, 2]);
        assert_eq!(view.step(&view.ours), Step::Take(128));
    }

    #[test]
    fn a_verb_gets_no_share_and_is_missed_like_a_node() {
        let verb = format!("{VERB}1");
        let live = vec![node(1, "me"), node(2, &verb), node(3, "gone")];
        let view = View::new(ME, leases(128, 0), live, &[1]);
        assert_eq!(view.nodes, 2);
        assert_eq!(
            view.silent,
            BTreeSet::from([(2, verb), (3, "gone".to_owned())])
        );
    }

    #[test]
    fn what_is_free_beyond_the_share_is_left_and_what_is_not_free_cannot_be_taken() {
        let live = vec![node(1, "me"), node(2, "b"), node(3, "c")];
        let view = View::new(ME, leases(86, 86), live.clone(), &[]);
        assert_eq!((view.free, view.step(&view.ours)), (84, Step::Keep));
        let view = View::new(ME, leases(85, 171), live, &[]);
        assert_eq!(view.step(&view.ours), Step::Keep);
    }

    #[test]
    fn nothing_is_ours_once_the_slot_has_another_holder() {
        let view = View::new(ME, leases(256, 0), vec![node(1, "somebody")], &[]);
        assert!(view.ours.is_empty());
        assert_eq!(view.free, 0);
    }

    #[test]
    fn a_single_process_takes_what_a_dead_one_still_seems_to_own() {
        let view = View::new(
            ME,
            leases(0, 256),
            vec![node(1, "me"), node(2, "dead")],
            &[],
        )
        .alone();
        assert_eq!(view.step(&view.ours), Step::Take(256));
        assert!(view.silent.is_empty());
    }
}
