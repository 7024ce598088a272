//! Attaching in the commit that takes bodies in: what comes while nothing waits is spared a commit, a wait for the writer,
//! and being read again.
//!
//! Only what keeps the order and what is soon done: bodies of buckets that are ours and in which none waits, as long as few
//! come together. Everything else is kept first and attached behind it. A commit that fails has taken nothing in: the
//! caller keeps the bodies by themselves then, so that Meta's 200 never depends on what they mean, nor on who holds what they
//! would change.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::kept::Since;
use super::split::{self, Split};
use super::{AttachError, Attached, Attacher, batch};
use crate::domain::{Bucket, Timestamp};
use crate::ownership::OwnedBuckets;
use crate::storage::buckets::{self, Lease};
use crate::storage::raw::{self, NewRaw, RawRow};
use crate::storage::{Tx, changes};
use crate::telemetry::CommitTimer;

/// Bytes and items of what is attached by one commit: a thousand statuses in one body are in no hurry.
const MOST_BYTES: usize = 1 << 20;
const MOST_ITEMS: usize = 256;
/// So many rows of one bucket in a commit are hardly any.
const HARDLY_ANY: usize = 4;
/// How long the writer is waited for; PostgreSQL's locks are for about as long ([`crate::storage::Db::begin_brief`]). Acknowledgements wait for it.
const PATIENCE: Duration = Duration::from_millis(50);
/// Bodies that wait, of all nodes, up to which it is looked whose they are; of more, [`Kept`](super::kept::Kept) knows.
const FEW: i64 = 256;

/// What a group of bodies holds that need not wait.
pub(in crate::ingest) struct AtOnce {
    /// Whose bodies these are.
    buckets: BTreeSet<Bucket>,
    leases: Vec<Lease>,
    split: Split,
    now: Timestamp,
}

impl Attacher {
    /// Which of these bodies can be attached by the commit that appends them; `None`: not any.
    pub(in crate::ingest) async fn at_once(
        &self,
        rows: &[NewRaw],
    ) -> Result<Option<AtOnce>, AttachError> {
        let alone = self.db.is_sqlite();
        if !alone && rows.len() > self.config.most_at_once {
            return Err(AttachError::Many);
        }
        let since = self.kept.since();
        let mut tx = self.db.glance().await?;
        let setup = changes::setup_version_all_tenants(&mut tx).await?;
        let snapshot = self.directory.snapshot();
        if snapshot.version < setup {
            // Whoever attaches them reads it.
            return Ok(None);
        }
        let owned = self.owned.borrow().clone();
        let Some(buckets) = self.free(&mut tx, rows, &owned, since).await? else {
            return Ok(None);
        };
        drop(tx);
        let buckets = few(rows, buckets, self.config.most_at_once).ok_or(AttachError::Many)?;
        let taken = rows.iter().filter(|row| buckets.contains(&row.bucket));
        if taken.map(|row| row.body.len()).sum::<usize>() > MOST_BYTES {
            return Ok(None);
        }
        let raws = in_order(rows, &buckets);
        let split = split::split(&raws, &snapshot, &self.hasher, MOST_ITEMS);
        let is_cut = split.bodies < raws.len() || split.items() > MOST_ITEMS;
        if raws.is_empty() || is_cut || split.counts_beside() {
            return Ok(None);
        }
        Ok(Some(AtOnce {
            buckets,
            leases: batch::leases_of(&owned, &raws)?,
            split,
            now: self.clock.now(),
        }))
    }

    /// Takes the bodies in, and attaches those that need not wait. In line with turns: it is more than an acknowledgement.
    pub(in crate::ingest) async fn take_in(
        &self,
        rows: &[NewRaw],
        at_once: AtOnce,
    ) -> Result<Attached, AttachError> {
        let AtOnce {
            buckets,
            leases,
            mut split,
            now,
        } = at_once;
        let waits = rows.iter().filter(|row| !buckets.contains(&row.bucket));
        self.waits(waits);
        let begun = tokio::time::timeout(PATIENCE, self.db.begin_brief()).await;
        let mut tx = begun.map_err(|_| AttachError::Late)??;
        let _held = CommitTimer::start("receive", rows.len());
        raw::append_all_tenants(&mut tx, rows, Some((&buckets, now))).await?;
        buckets::fence(&mut tx, &leases).await?;
        let attached = batch::write(self, &mut tx, &mut split, now).await?;
        tx.commit().await?;
        batch::told(self, &split, now);
        Ok(attached)
    }

    /// These are about to wait.
    pub(in crate::ingest) fn waits<'a>(&self, rows: impl IntoIterator<Item = &'a NewRaw>) {
        if self.db.is_sqlite() {
            self.kept
                .add(rows.into_iter().map(|row| (row.id, row.bucket)));
        }
    }

    /// The rows' buckets that are ours and in which no body waits; `None`: not known.
    async fn free(
        &self,
        tx: &mut Tx,
        rows: &[NewRaw],
        owned: &OwnedBuckets,
        since: Since,
    ) -> Result<Option<BTreeSet<Bucket>>, AttachError> {
        let buckets = rows.iter().map(|row| row.bucket);
        let waited_in = match raw::few_waiting_all_tenants(tx, FEW).await? {
            Some(few) => {
                self.kept.learn(since, &few);
                Some(few.into_iter().map(|(_, bucket)| bucket).collect())
            }
            None if self.db.is_sqlite() => self.kept.waited_in(buckets.clone()),
            // Other nodes keep bodies too.
            None => return Err(AttachError::Many),
        };
        let Some(waited_in): Option<BTreeSet<Bucket>> = waited_in else {
            return Ok(None);
        };
        let is_free = |bucket: &Bucket| owned.owns(*bucket) && !waited_in.contains(bucket);
        Ok(Some(buckets.filter(is_free).collect()))
    }
}

impl AtOnce {
    /// Does none of these bodies wait?
    pub(in crate::ingest) fn has_all(&self, rows: &[NewRaw]) -> bool {
        rows.iter().all(|row| self.buckets.contains(&row.bucket))
    }
}

/// Of these buckets those with few of the rows, while there are no more than `most` together: what one bucket has many of waits
/// rather than all that came with it. `None`: one with hardly any would have to wait too.
fn few(rows: &[NewRaw], free: BTreeSet<Bucket>, most: usize) -> Option<BTreeSet<Bucket>> {
    let mut counts = BTreeMap::<Bucket, usize>::new();
    for row in rows.iter().filter(|row| free.contains(&row.bucket)) {
        *counts.entry(row.bucket).or_default() += 1;
    }
    let mut counts: Vec<(usize, Bucket)> =
        counts.into_iter().map(|(bucket, n)| (n, bucket)).collect();
    counts.sort_unstable();
    let mut room = most;
    let mut few = BTreeSet::new();
    for (count, bucket) in counts {
        if count <= room {
            room -= count;
            few.insert(bucket);
        } else if count <= HARDLY_ANY {
            return None;
        }
    }
    Some(few)
}

/// What stands in those buckets, as it would be read.
fn in_order(rows: &[NewRaw], buckets: &BTreeSet<Bucket>) -> Vec<RawRow> {
    let mut raws: Vec<RawRow> = rows
        .iter()
        .filter(|row| buckets.contains(&row.bucket))
        .map(|row| RawRow {
            id: row.id.raw(),
            app: row.app.raw(),
            bucket: row.bucket.raw(),
            received_at: row.received_at.millis(),
            body: row.body.clone(),
        })
        .collect();
    raws.sort_unstable_by_key(|row| row.id);
    raws
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::domain::{AppId, RawId};

    fn bucket(n: i64) -> Bucket {
        Bucket::from_raw(n).expect("a bucket")
    }

    /// So many rows of each of these buckets; answers those of which few came.
    fn few_of(came: &[(i64, usize)], most: usize) -> Option<Vec<i64>> {
        let rows: Vec<NewRaw> = came
            .iter()
            .flat_map(|(n, count)| std::iter::repeat_n(*n, *count))
            .map(|n| NewRaw {
                id: RawId::from_raw(n),
                app: AppId::from_raw(1),
                bucket: bucket(n),
                part_of: None,
                received_at: Timestamp::ZERO,
                body: Bytes::new(),
            })
            .collect();
        // The fourth is not free.
        let free = (0..4).map(bucket).collect();
        let few = few(&rows, free, most)?;
        Some(few.into_iter().map(Bucket::raw).collect())
    }

    #[test]
    fn what_one_bucket_has_many_of_waits_and_the_others_do_not() {
        assert_eq!(few_of(&[(0, 3), (1, 5)], 8), Some(vec![0, 1]));
        assert_eq!(
            few_of(&[(0, 90), (1, 2), (2, 1), (4, 7)], 8),
            Some(vec![1, 2])
        );
        assert_eq!(few_of(&[(0, 9)], 8), Some(vec![]));
    }

    #[test]
    fn where_those_with_hardly_any_are_too_many_all_wait() {
        assert_eq!(few_of(&[(0, 4), (1, 4), (2, 1)], 8), None);
        assert_eq!(few_of(&[(0, 4), (1, 3), (2, 1)], 8), Some(vec![0, 1, 2]));
    }

    #[test]
    fn bodies_are_read_where_they_are_and_in_the_order_of_their_ids() {
        let buckets: Vec<Bucket> = Bucket::all().take(2).collect();
        let row = |id, bucket| NewRaw {
            id: RawId::from_raw(id),
            app: AppId::from_raw(1),
            bucket,
            part_of: None,
            received_at: Timestamp::from_millis(1),
            body: Bytes::from(format!("body {id}")),
        };
        let rows = [row(3, buckets[0]), row(2, buckets[1]), row(1, buckets[0])];
        let raws = in_order(&rows, &BTreeSet::from([buckets[0]]));
        let place = |body: &Bytes| (body.as_ptr(), body.len());
        let read: Vec<_> = raws.iter().map(|raw| (raw.id, place(&raw.body))).collect();
        assert_eq!(read, [(1, place(&rows[2].body)), (3, place(&rows[0].body))]);
    }
}
