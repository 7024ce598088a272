//! What we work for: what the keeper says, without what a fence has shown to be lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::Bucket;
use crate::ownership::OwnedBuckets;
use crate::telemetry::names;

use super::Delivery;

impl Delivery {
    /// Ownership changed: what is lost is forgotten at once, what is new is scanned.
    pub(super) fn own(&mut self) {
        let owned = self.owned.borrow_and_update().clone();
        self.lost
            .retain(|bucket, epoch| owned.leases.get(bucket) == Some(epoch));
        self.work_for(&owned);
    }

    fn work_for(&mut self, owned: &OwnedBuckets) {
        let mut leases = owned.leases.clone();
        leases.retain(|bucket, epoch| self.lost.get(bucket) != Some(epoch));
        let gone: BTreeSet<Bucket> = self
            .leases
            .leases
            .iter()
            .filter(|(bucket, epoch)| leases.get(bucket) != Some(epoch))
            .map(|(bucket, _)| *bucket)
            .collect();
        self.leases = Arc::new(OwnedBuckets { leases });
        if !gone.is_empty() {
            self.queue.drop_buckets(&gone);
            self.doubts.drop_buckets(&gone);
            self.unsure.retain(|_, bucket| !gone.contains(bucket));
            self.taken.retain(|bucket| !gone.contains(bucket));
            self.scanned.retain(|bucket| !gone.contains(bucket));
            self.scan = None;
            self.losses += 1;
        }
    }

    /// A commit was refused because a bucket has a new owner, whatever the watch says yet.
    ///
    /// `leases`: what the commit was made under. What we have been given since is not lost by it.
    pub(super) fn lose(&mut self, bucket: i64, leases: &BTreeMap<Bucket, i64>) {
        metrics::counter!(names::FENCED_COMMITS).increment(1);
        let bucket = Bucket::from_raw(bucket);
        let Some((bucket, epoch)) = bucket.and_then(|bucket| leases.get_key_value(&bucket)) else {
            return;
        };
        self.lost.insert(*bucket, *epoch);
        let owned = self.owned.borrow().clone();
        self.work_for(&owned);
    }
}
