//! Messages by Meta's id: looked for in what came last, then in digests of what came before.
//!
//! A digest is a filter (Bloom) over the wamids of some thousand rows: it may say yes where it should say no, and then these
//! rows are looked through for nothing; it never says no where it should say yes. It costs a turn some three bytes and no
//! work of its own; an index would cost a hundred, and a page anywhere in a large tree with each message.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::domain::{Bucket, Clock, EventId, OutboxId, id};
use crate::ownership::Owned;
use crate::storage::buckets::fence;
use crate::storage::chains::Named;
use crate::storage::wamids::{self, Carried, Digest, Source};
use crate::storage::{Db, Result, StorageError, Tx};

/// Rows of a digest: one that is looked through for nothing costs some milliseconds.
pub const ROWS: i64 = 16_384;
/// Rows younger than this are not digested yet: another node may still commit an id that lies before theirs. Ids are
/// committed within seconds, or not at all (a node that was stopped is fenced).
pub const BEHIND: Duration = Duration::from_secs(600);
/// How often it is looked whether there are enough. A look reads them, so an idle node has few; with [`BEHIND`] it says how
/// many rows a search looks through by itself.
const LOOK: Duration = Duration::from_secs(300);
/// Digests of one read: some 1.5 MB.
const PAGE: i64 = 64;
/// Bits for each wamid, and how many of them it sets: three of a thousand look-ups go wrong.
const BITS: usize = 12;
const PROBES: u64 = 8;

/// What a wamid names, however old it is; a send before an event.
pub(super) async fn find(tx: &mut Tx, wamid: &str) -> Result<Option<Named>> {
    for source in Source::ALL {
        if let Some((tenant, id)) = find_in(tx, source, wamid).await? {
            return Ok(Some(match source {
                Source::Sends => Named::Send(tenant, OutboxId::from_raw(id)),
                Source::Events => Named::Event(tenant, EventId::from_raw(id)),
            }));
        }
    }
    Ok(None)
}

async fn find_in(
    tx: &mut Tx,
    source: Source,
    wamid: &str,
) -> Result<Option<(crate::domain::TenantId, i64)>> {
    let end = wamids::end_all_tenants(tx, source).await?;
    let new = wamids::within_all_tenants(tx, source, (end + 1, i64::MAX), wamid).await?;
    if new.is_some() {
        return Ok(new);
    }
    let mut before = i64::MAX;
    loop {
        let digests = wamids::digests_all_tenants(tx, source, before, PAGE).await?;
        let Some(last) = digests.last() else {
            return Ok(None);
        };
        before = last.last;
        for digest in &digests {
            let late = ids(&digest.late);
            let mut found = wamids::among_all_tenants(tx, source, &late, wamid).await?;
            if found.is_none() && may_hold(&digest.filter, wamid) {
                let range = (digest.first, digest.last);
                found = wamids::within_all_tenants(tx, source, range, wamid).await?;
            }
            if found.is_some() {
                return Ok(found);
            }
        }
    }
}

/// Makes digests, on the owner of the first bucket.
#[derive(Debug)]
pub struct Digester {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub owned: Owned,
    pub rows: i64,
    pub behind: Duration,
}

impl Digester {
    /// Looks until stopped.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            match self.once().await {
                Ok(()) | Err(StorageError::Fenced(_)) => {}
                Err(error) => {
                    tracing::warn!(error = ?error, "wamids were not digested; trying again")
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Makes what digests there are rows for, and lets go of those whose rows are gone.
    pub async fn once(&self) -> Result<()> {
        let first = Bucket::all().next();
        let lease = first.and_then(|first| self.owned.borrow().lease(first));
        let Some(lease) = lease else {
            return Ok(());
        };
        for source in Source::ALL {
            while let Some(digest) = self.next(source).await? {
                let mut tx = self.db.begin().await?;
                fence(&mut tx, &[lease]).await?;
                wamids::add_all_tenants(&mut tx, source, &digest).await?;
                wamids::forget_all_tenants(&mut tx, source).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    async fn next(&self, source: Source) -> Result<Option<Digest>> {
        let mut tx = self.db.read().await?;
        let after = wamids::end_all_tenants(&mut tx, source).await?;
        let before = id::first_id_at(self.clock.now().minus(self.behind));
        let rows = wamids::carried_all_tenants(&mut tx, source, (after, before), self.rows).await?;
        let full = rows.len() as i64 == self.rows;
        Ok(rows.last().filter(|_| full).map(|last| Digest {
            first: after + 1,
            last: last.id,
            filter: filter(&rows),
            late: late(&rows),
        }))
    }
}

fn late(rows: &[Carried]) -> Vec<u8> {
    let late = rows.iter().filter(|row| row.may_come == 1);
    late.flat_map(|row| row.id.to_be_bytes()).collect()
}

fn ids(late: &[u8]) -> Vec<i64> {
    let (ids, _) = late.as_chunks::<8>();
    ids.iter().map(|id| i64::from_be_bytes(*id)).collect()
}

fn filter(rows: &[Carried]) -> Vec<u8> {
    let wamids: Vec<&str> = rows.iter().map(|row| row.wamid.as_str()).collect();
    let carried = wamids.iter().filter(|wamid| !wamid.is_empty());
    let bytes = (carried.clone().count() * BITS).div_ceil(8);
    let mut filter = vec![0_u8; bytes];
    for wamid in carried {
        for bit in bits(wamid, bytes) {
            filter[bit / 8] |= 1 << (bit % 8);
        }
    }
    filter
}

fn may_hold(filter: &[u8], wamid: &str) -> bool {
    !filter.is_empty()
        && bits(wamid, filter.len()).all(|bit| filter[bit / 8] & (1 << (bit % 8)) != 0)
}

fn bits(wamid: &str, bytes: usize) -> impl Iterator<Item = usize> {
    let hash = Sha256::digest(wamid.as_bytes());
    let part = |at: usize| {
        let mut eight = [0; 8];
        eight.copy_from_slice(&hash[at..at + 8]);
        u64::from_be_bytes(eight)
    };
    let (start, step) = (part(0), part(8) | 1);
    let all = (bytes * 8) as u64;
    (0..PROBES).map(move |n| (start.wrapping_add(n.wrapping_mul(step)) % all) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, wamid: String, may_come: i64) -> Carried {
        Carried {
            id,
            wamid,
            may_come,
        }
    }

    #[test]
    fn a_filter_misses_none_and_is_rarely_wrong() {
        let rows: Vec<Carried> = (0..4_096)
            .map(|n| row(n, format!("wamid.own{n}"), 0))
            .collect();
        let filter = filter(&rows);
        assert_eq!(filter.len(), 4_096 * 12 / 8);
        assert!(rows.iter().all(|row| may_hold(&filter, &row.wamid)));
        let wrong = (0..10_000).filter(|n| may_hold(&filter, &format!("wamid.other{n}")));
        assert!(wrong.count() < 100);
    }

    #[test]
    fn rows_without_a_wamid_set_no_bit_and_are_named_when_one_may_come() {
        let rows = [row(1, String::new(), 0), row(2, String::new(), 1)];
        assert!(filter(&rows).is_empty() && !may_hold(&filter(&rows), ""));
        assert_eq!(ids(&late(&rows)), [2]);
    }
}
