//! Bucket leases and the fence: a node that lost a bucket commits nothing of it, however late it wakes up.

use super::{Db, Result, StorageError, Tx, batch, execute, nodes, on_backend};
use crate::domain::Bucket;

/// A bucket with the epoch under which it is owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lease {
    pub bucket: Bucket,
    pub epoch: i64,
}

/// Takes up to `most` buckets that nobody lives to own; none when the slot is not this holder's any more. Every taking
/// moves the epoch.
///
/// On SQLite there is one process, so whoever else seems to own a bucket is dead.
pub async fn take(db: &Db, slot: u16, holder: &str, most: usize) -> Result<Vec<Lease>> {
    let mut tx = db.begin().await?;
    // Else the slot's next holder would find buckets under its number that two nodes work for with one epoch.
    if !nodes::stays_ours(&mut tx, slot, holder).await? {
        return Ok(Vec::new());
    }
    let now = nodes::database_now(&mut tx).await?;
    let sql = tx.pick(
        "UPDATE bucket_lease SET slot = $1, epoch = epoch + 1 WHERE bucket IN
            (SELECT bucket FROM bucket_lease WHERE slot <> $1 AND $3 = $3 ORDER BY bucket LIMIT $2)
         RETURNING bucket, epoch",
        "UPDATE bucket_lease SET slot = $1, epoch = epoch + 1 WHERE bucket IN
            (SELECT bucket FROM bucket_lease l WHERE slot <> $1
                AND NOT EXISTS (SELECT 1 FROM node_slot n WHERE n.slot = l.slot AND n.expires_at >= $3)
             ORDER BY bucket LIMIT $2 FOR UPDATE OF l SKIP LOCKED)
         RETURNING bucket, epoch",
    );
    let rows: Vec<(i64, i64)> = on_backend!(&mut tx, |conn| {
        sqlx::query_as(sql)
            .bind(i64::from(slot))
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .bind(now.millis())
            .fetch_all(conn)
            .await
    })?;
    tx.commit().await?;
    rows.into_iter().map(lease).collect()
}

/// Gives buckets back while we still own them.
pub async fn release(db: &Db, leases: &[Lease]) -> Result<()> {
    let mut tx = db.begin().await?;
    for lease in leases {
        execute!(
            &mut tx,
            sqlx::query("UPDATE bucket_lease SET slot = -1, epoch = epoch + 1 WHERE bucket = $1 AND epoch = $2")
                .bind(lease.bucket.raw())
                .bind(lease.epoch)
        )?;
    }
    tx.commit().await
}

/// Every bucket's lease, with the slot that has it: what is true, for whoever remembers something else.
pub async fn all(tx: &mut Tx) -> Result<Vec<(Lease, i64)>> {
    let rows: Vec<(i64, i64, i64)> = on_backend!(tx, |conn| {
        sqlx::query_as("SELECT bucket, epoch, slot FROM bucket_lease ORDER BY bucket")
            .fetch_all(conn)
            .await
    })?;
    rows.into_iter()
        .map(|(bucket, epoch, slot)| Ok((lease((bucket, epoch))?, slot)))
        .collect()
}

/// Must be called in every transaction that writes for a bucket: fails when one of them has a new owner.
///
/// The rows stay locked against a change of owner until the transaction ends.
pub async fn fence(tx: &mut Tx, leases: &[Lease]) -> Result<()> {
    if leases.is_empty() {
        return Ok(());
    }
    let buckets = batch::padded(
        &leases
            .iter()
            .map(|lease| lease.bucket.raw())
            .collect::<Vec<_>>(),
    );
    let tail = if tx.is_postgres() {
        "ORDER BY bucket FOR SHARE"
    } else {
        ""
    };
    let sql = batch::list(
        "SELECT bucket, epoch FROM bucket_lease WHERE bucket IN",
        buckets.len(),
        1,
        tail,
    );
    let rows: Vec<(i64, i64)> = on_backend!(tx, |conn| {
        let mut query = sqlx::query_as(sql);
        for bucket in &buckets {
            query = query.bind(bucket);
        }
        query.fetch_all(conn).await
    })?;
    match leases
        .iter()
        .find(|lease| !rows.contains(&(lease.bucket.raw(), lease.epoch)))
    {
        Some(lost) => Err(StorageError::Fenced(lost.bucket.raw())),
        None => Ok(()),
    }
}

fn lease((bucket, epoch): (i64, i64)) -> Result<Lease> {
    let bucket = Bucket::from_raw(bucket)
        .ok_or_else(|| StorageError::Corrupt(format!("bucket {bucket}")))?;
    Ok(Lease { bucket, epoch })
}
