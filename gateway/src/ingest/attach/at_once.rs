//! Attaching in the commit that takes bodies in: what comes while nothing waits is spared a commit, a wait for the writer,
//! and being read again.
//!
//! Only what keeps the order and what is soon done: bodies of buckets that are ours, before which none waits, as long as few
//! come together. Everything else is kept first and attached behind it. What is attached goes on before it is on disk, for what
//! comes of it is written behind it; Meta's answer waits. A commit that fails has taken nothing in: the
//! caller keeps the bodies by themselves then, so that Meta's 200 never depends on what they mean, nor on who holds what they
//! would change.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::kept::Since;
use super::lanes::Lanes;
use super::split::{self, Split};
use super::{AttachError, Attached, Attacher, batch};
use crate::domain::{Bucket, Timestamp};
use crate::ownership::OwnedBuckets;
use crate::storage::buckets::{self, Lease};
use crate::storage::raw::{self, Lane, NewRaw, RawRow, Whose};
use crate::storage::{Tx, Written, changes};
use crate::telemetry::CommitTimer;

/// Bytes and items of what is attached by one commit: a thousand statuses in one body are in no hurry.
const MOST_BYTES: usize = 1 << 20;
const MOST_ITEMS: usize = 256;
/// So many rows of one lane in a commit are hardly any.
const HARDLY_ANY: usize = 4;
/// How long the writer is waited for; PostgreSQL's locks are for about as long ([`crate::storage::Db::begin_brief`]). Acknowledgements wait for it.
const PATIENCE: Duration = Duration::from_millis(50);
/// Bodies that wait, of all nodes, up to which it is looked whose they are; of more, [`Kept`](super::kept::Kept) knows.
const FEW: usize = 256;

/// What a group of bodies holds that need not wait.
pub(in crate::ingest) struct AtOnce {
    /// Where these bodies would wait.
    lanes: BTreeSet<Lane>,
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
        let Some(lanes) = self.free(&mut tx, rows, &owned, since).await? else {
            return Ok(None);
        };
        drop(tx);
        let lanes = few(rows, lanes, self.config.most_at_once).ok_or(AttachError::Many)?;
        let taken = rows.iter().filter(|row| lanes.contains(&row.lane));
        if taken.map(|row| row.body.len()).sum::<usize>() > MOST_BYTES {
            return Ok(None);
        }
        let raws = in_order(rows, &lanes);
        let split = split::split(&raws, &snapshot, &self.hasher, MOST_ITEMS);
        let is_cut = split.bodies < raws.len() || split.items() > MOST_ITEMS;
        if raws.is_empty() || is_cut || split.counts_beside() {
            return Ok(None);
        }
        Ok(Some(AtOnce {
            lanes,
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
    ) -> Result<(Attached, Written), AttachError> {
        let AtOnce {
            lanes,
            leases,
            mut split,
            now,
        } = at_once;
        let waits = rows.iter().filter(|row| !lanes.contains(&row.lane));
        self.waits(waits);
        let begun = tokio::time::timeout(PATIENCE, self.db.begin_brief()).await;
        let mut tx = begun.map_err(|_| AttachError::Late)??;
        let _held = CommitTimer::start("receive", rows.len());
        raw::append_all_tenants(&mut tx, rows, Some((&lanes, now))).await?;
        buckets::fence(&mut tx, &leases).await?;
        let attached = batch::write(self, &mut tx, &mut split, now).await?;
        let written = tx.write().await?;
        batch::told(self, &split, now);
        self.backlogs.add_others(split.bodies);
        Ok((attached, written))
    }

    /// These are about to wait.
    pub(in crate::ingest) fn waits<'a>(&self, rows: impl IntoIterator<Item = &'a NewRaw>) {
        if self.db.is_sqlite() {
            self.kept
                .add(rows.into_iter().map(|row| (row.id, row.lane)));
        }
    }

    /// The rows' lanes that are ours and before which no body waits; `None`: not known. What is anybody's of a bucket waits, and what
    /// came there with it; and what is of somebody with turns enough.
    async fn free(
        &self,
        tx: &mut Tx,
        rows: &[NewRaw],
        owned: &OwnedBuckets,
        since: Since,
    ) -> Result<Option<BTreeSet<Lane>>, AttachError> {
        let lanes = rows.iter().map(|row| row.lane);
        let anybodys = lanes.clone().filter(|lane| lane.whose == Whose::Any);
        let waits: BTreeSet<Bucket> = anybodys.map(|lane| lane.bucket).collect();
        let ahead = self.ahead();
        let ours = lanes
            .filter(|lane| owned.owns(lane.bucket) && !waits.contains(&lane.bucket))
            .filter(|lane| !ahead.has(*lane));
        let alone = self.db.is_sqlite();
        // What is remembered may be gone, so the database is asked all the same, for less.
        let knows_many = alone && self.kept.knows_more_than(FEW);
        if knows_many && raw::many_wait_all_tenants(tx, FEW).await? {
            return Ok(self.kept.free(ours));
        }
        Ok(match raw::few_waiting_all_tenants(tx, FEW).await? {
            Some(few) => {
                let waiting: Lanes = few.into_iter().collect();
                let free = ours.filter(|lane| waiting.is_free(*lane)).collect();
                self.kept.learn(since, waiting);
                Some(free)
            }
            None if alone => self.kept.free(ours),
            // Other nodes keep bodies too.
            None => return Err(AttachError::Many),
        })
    }
}

impl AtOnce {
    /// Does none of these bodies wait?
    pub(in crate::ingest) fn has_all(&self, rows: &[NewRaw]) -> bool {
        rows.iter().all(|row| self.lanes.contains(&row.lane))
    }
}

/// Of these lanes those with few of the rows, while there are no more than `most` together: what one number has many of waits
/// rather than all that came with it. `None`: one with hardly any would have to wait too.
fn few(rows: &[NewRaw], free: BTreeSet<Lane>, most: usize) -> Option<BTreeSet<Lane>> {
    let mut counts = BTreeMap::<Lane, usize>::new();
    for row in rows.iter().filter(|row| free.contains(&row.lane)) {
        *counts.entry(row.lane).or_default() += 1;
    }
    let mut counts: Vec<(usize, Lane)> = counts.into_iter().map(|(lane, n)| (n, lane)).collect();
    counts.sort_unstable();
    let mut room = most;
    let mut few = BTreeSet::new();
    for (count, lane) in counts {
        if count <= room {
            room -= count;
            few.insert(lane);
        } else if count <= HARDLY_ANY {
            return None;
        }
    }
    Some(few)
}

/// What stands in those lanes, as it would be read.
fn in_order(rows: &[NewRaw], lanes: &BTreeSet<Lane>) -> Vec<RawRow> {
    let taken = rows.iter().filter(|row| lanes.contains(&row.lane));
    let mut raws: Vec<RawRow> = taken.map(RawRow::of).collect();
    raws.sort_unstable_by_key(|row| row.id);
    raws
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::lanes::tests::{lane, place};
    use super::*;
    use crate::domain::AppId;

    fn row(id: i64, n: i64, body: &str) -> NewRaw {
        let (id, lane) = place(id, n);
        NewRaw {
            id,
            app: AppId::from_raw(1),
            lane,
            part_of: None,
            received_at: Timestamp::from_millis(1),
            body: Bytes::copy_from_slice(body.as_bytes()),
        }
    }

    /// So many rows of each of these numbers; answers those of which few came.
    fn few_of(came: &[(i64, usize)], most: usize) -> Option<Vec<i64>> {
        let rows: Vec<NewRaw> = came
            .iter()
            .flat_map(|(n, count)| std::iter::repeat_n(*n, *count))
            .map(|n| row(n, n, ""))
            .collect();
        // The fourth is not free.
        let few = few(&rows, (1..4).map(lane).collect(), most)?;
        Some((1..5).filter(|n| few.contains(&lane(*n))).collect())
    }

    #[test]
    fn what_one_number_has_many_of_waits_and_the_others_do_not() {
        assert_eq!(few_of(&[(1, 3), (2, 5)], 8), Some(vec![1, 2]));
        assert_eq!(
            few_of(&[(1, 90), (2, 2), (3, 1), (4, 7)], 8),
            Some(vec![2, 3])
        );
        assert_eq!(few_of(&[(1, 9)], 8), Some(vec![]));
    }

    #[test]
    fn where_those_with_hardly_any_are_too_many_all_wait() {
        assert_eq!(few_of(&[(1, 4), (2, 4), (3, 1)], 8), None);
        assert_eq!(few_of(&[(1, 4), (2, 3), (3, 1)], 8), Some(vec![1, 2, 3]));
    }

    #[test]
    fn bodies_are_read_where_they_are_and_in_the_order_of_their_ids() {
        let rows = [row(3, 1, "three"), row(2, 2, "two"), row(1, 1, "one")];
        let raws = in_order(&rows, &BTreeSet::from([lane(1)]));
        let place = |body: &Bytes| (body.as_ptr(), body.len());
        let read: Vec<_> = raws.iter().map(|raw| (raw.id, place(&raw.body))).collect();
        assert_eq!(read, [(1, place(&rows[2].body)), (3, place(&rows[0].body))]);
    }
}
