//! Work that has to end under the lease that it began under: what is at Meta while its bucket is given up.
//!
//! A commit that comes too late is refused and done again by the next owner; a POST whose answer comes too late is in
//! doubt, and holds its conversation (promise 5). So a bucket that is given up is kept while something counts here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::domain::Bucket;
use crate::domain::bucket::BUCKETS;

/// How much is under way in each bucket. Clones count the same.
#[derive(Debug, Clone)]
pub struct UnderWay(Arc<[AtomicU32]>);

impl Default for UnderWay {
    fn default() -> Self {
        Self((0..BUCKETS).map(|_| AtomicU32::new(0)).collect())
    }
}

impl UnderWay {
    /// Counts until it is dropped.
    pub fn begin(&self, bucket: Bucket) -> Work {
        let work = Work {
            of: self.clone(),
            bucket,
        };
        if let Some(count) = work.count() {
            count.fetch_add(1, Ordering::SeqCst);
        }
        work
    }

    pub(super) fn is_busy(&self, bucket: Bucket) -> bool {
        let count = self.of(bucket);
        count.is_some_and(|count| count.load(Ordering::SeqCst) > 0)
    }

    fn of(&self, bucket: Bucket) -> Option<&AtomicU32> {
        self.0.get(usize::try_from(bucket.raw()).ok()?)
    }
}

/// One thing that is under way.
#[derive(Debug)]
pub struct Work {
    of: UnderWay,
    bucket: Bucket,
}

impl Work {
    fn count(&self) -> Option<&AtomicU32> {
        self.of.of(self.bucket)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Some(count) = self.count() {
            count.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_busy_until_the_last_work_in_it_ends() {
        let under_way = UnderWay::default();
        let buckets: Vec<Bucket> = Bucket::all().collect();
        let (first, last) = (buckets[0], buckets[buckets.len() - 1]);
        let (one, two) = (under_way.begin(last), under_way.begin(last));
        assert!(under_way.is_busy(last) && !under_way.is_busy(first));
        drop(one);
        assert!(under_way.is_busy(last));
        drop(two);
        assert!(!under_way.is_busy(last));
    }
}
