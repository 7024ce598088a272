//! Which buckets this node owns, kept true: leases renewed, free buckets taken, a fair share left to others.
//!
//! What stands here is only a hint of when to work; the truth is the fence in every commit
//! ([`crate::storage::buckets::fence`]). Neighbours: `storage::{nodes, buckets}` below, every edge above.

mod keeper;
mod share;
mod under_way;
mod wakeups;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::{Bucket, Timestamp};
use crate::secrets::{Entropy, SystemEntropy};
use crate::storage::buckets::Lease;
use crate::storage::nodes;

pub use keeper::{Keeper, KeeperConfig};
pub use under_way::{UnderWay, Work};
pub use wakeups::Wakeups;

/// What a process leases a slot for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// To make ids and to work on buckets.
    Node,
    /// To make the ids of one command, no more.
    Verb,
}

/// A name that no other process has, and no earlier life of this one: what it says about a slot can be meant for
/// nobody else's.
pub fn holder_name(holder: Holder, now: Timestamp) -> String {
    let mut salt = [0_u8; 4];
    // Only a name: when the system has no randomness to give, time and process must do.
    let _ = SystemEntropy.fill(&mut salt);
    let name = format!(
        "{}-{}-{}",
        std::process::id(),
        now.millis(),
        hex::encode(salt)
    );
    match holder {
        Holder::Node => name,
        Holder::Verb => format!("{}{name}", nodes::VERB),
    }
}

/// The buckets that a node owns at a moment, each with its epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnedBuckets {
    pub leases: BTreeMap<Bucket, i64>,
}

/// Everybody's view of what is owned.
pub type Owned = watch::Receiver<Arc<OwnedBuckets>>;

impl OwnedBuckets {
    pub fn lease(&self, bucket: Bucket) -> Option<Lease> {
        self.leases
            .get(&bucket)
            .map(|&epoch| Lease { bucket, epoch })
    }

    pub fn owns(&self, bucket: Bucket) -> bool {
        self.leases.contains_key(&bucket)
    }

    /// The leases of these buckets, each once, in order. `None`: one of them is not ours.
    pub fn leases_of(&self, buckets: impl IntoIterator<Item = Bucket>) -> Option<Vec<Lease>> {
        let distinct: std::collections::BTreeSet<Bucket> = buckets.into_iter().collect();
        distinct
            .into_iter()
            .map(|bucket| self.lease(bucket))
            .collect()
    }

    pub fn buckets(&self) -> Vec<Bucket> {
        self.leases.keys().copied().collect()
    }
}
