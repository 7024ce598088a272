//! Webhook bodies as they arrived: written before Meta gets its 200, read when they are attached.

use std::collections::BTreeSet;

use bytes::Bytes;
use sqlx::{AssertSqlSafe, FromRow};

use super::{Result, Tx, batch, execute_list, execute_rows, fetch_list, on_backend};
use crate::domain::bucket::BUCKETS;
use crate::domain::{AppId, Bucket, NumberId, RawId, Timestamp};

/// Whose a row is, of all that share its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// It may be anybody's: it is of several numbers, or it was written before this was known.
    Any,
    /// Of no number that was known.
    Nobody,
    Number(NumberId),
}

impl Whose {
    fn from_raw(raw: i64) -> Self {
        match raw {
            0 => Self::Any,
            -1 => Self::Nobody,
            number => Self::Number(NumberId::from_raw(number)),
        }
    }

    fn raw(self) -> i64 {
        match self {
            Self::Any => 0,
            Self::Nobody => -1,
            Self::Number(number) => number.raw(),
        }
    }
}

/// Where a body waits: those of one lane keep their order, and what is anybody's keeps it with all of its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    pub bucket: Bucket,
    pub whose: Whose,
}

impl Lane {
    fn from_raw(bucket: i64, number: i64) -> Option<Self> {
        let whose = Whose::from_raw(number);
        Bucket::from_raw(bucket).map(|bucket| Self { bucket, whose })
    }
}

/// A body of a lane.
pub type Place = (RawId, Lane);

/// A body on its way into the database: one row for every bucket it touches, the first holds the bytes.
#[derive(Debug, Clone)]
pub struct NewRaw {
    pub id: RawId,
    pub app: AppId,
    pub lane: Lane,
    /// The row that holds the body; `None`: this one.
    pub part_of: Option<RawId>,
    pub received_at: Timestamp,
    pub body: Bytes,
}

/// A body that waits to be attached.
#[derive(Debug, Clone)]
pub struct RawRow {
    pub id: i64,
    pub app: i64,
    pub bucket: i64,
    number: i64,
    pub received_at: i64,
    /// Shared, never copied: a body may have megabytes.
    pub body: Bytes,
}

/// The same with its length, its bytes perhaps not read.
#[derive(Debug, Clone, FromRow)]
pub struct SizedRow {
    pub id: i64,
    app: i64,
    bucket: i64,
    number: i64,
    received_at: i64,
    pub bytes: i64,
    pub body: Option<Vec<u8>>,
}

impl SizedRow {
    /// `None`: its bytes were not read.
    pub fn read(self) -> Option<RawRow> {
        Some(RawRow {
            id: self.id,
            app: self.app,
            bucket: self.bucket,
            number: self.number,
            received_at: self.received_at,
            body: self.body?.into(),
        })
    }
}

impl RawRow {
    /// As it would be read.
    pub fn of(raw: &NewRaw) -> Self {
        Self {
            id: raw.id.raw(),
            app: raw.app.raw(),
            bucket: raw.lane.bucket.raw(),
            number: raw.lane.whose.raw(),
            received_at: raw.received_at.millis(),
            body: raw.body.clone(),
        }
    }

    pub fn place(&self) -> Option<Place> {
        place((self.id, self.bucket, self.number))
    }
}

fn place((id, bucket, number): (i64, i64, i64)) -> Option<Place> {
    Some((RawId::from_raw(id), Lane::from_raw(bucket, number)?))
}

/// Appends bodies; they are lost only with the disk once the transaction has committed. Those of `attached` lanes are
/// attached by this very transaction, and never wait.
pub async fn append_all_tenants(
    tx: &mut Tx,
    raws: &[NewRaw],
    attached: Option<(&BTreeSet<Lane>, Timestamp)>,
) -> Result<()> {
    let attached_at = |raw: &NewRaw| match attached {
        Some((lanes, now)) if lanes.contains(&raw.lane) => now.millis(),
        _ => 0,
    };
    for run in batch::groups(tx, raws) {
        let sql = batch::rows(
            "INSERT INTO inbound_raw (id, app, bucket, number, part_of, received_at, attached_at, body) VALUES",
            8,
            "",
        );
        execute_rows!(tx, sql, run, |query, raw| {
            let body: &[u8] = if raw.part_of.is_some() {
                &[]
            } else {
                &raw.body
            };
            query
                .bind(raw.id.raw())
                .bind(raw.app.raw())
                .bind(raw.lane.bucket.raw())
                .bind(raw.lane.whose.raw())
                .bind(raw.part_of.map_or(0, RawId::raw))
                .bind(raw.received_at.millis())
                .bind(attached_at(raw))
                .bind(body)
        })?;
    }
    Ok(())
}

/// Bodies of these buckets that wait and came after one of them, oldest first, with their lanes. No body is read.
pub async fn waiting_all_tenants(
    tx: &mut Tx,
    buckets: &[Bucket],
    after: RawId,
    most: i64,
) -> Result<Vec<Place>> {
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    // SQLite would rather walk over the rows themselves, most of which are attached.
    let index = tx.pick("INDEXED BY inbound_raw_todo", "");
    let head = format!(
        "SELECT id, bucket, number FROM inbound_raw {index} WHERE attached_at = 0 AND id > $1"
    );
    // Written out: SQLite plans a statement anew each time its limit is bound.
    let tail = format!(" ORDER BY id LIMIT {most}");
    // A list of all would be made into a table each time.
    let rows: Vec<(i64, i64, i64)> = match buckets.len() == usize::from(BUCKETS) {
        true => on_backend!(tx, |conn| {
            sqlx::query_as(AssertSqlSafe(head + &tail))
                .bind(after.raw())
                .fetch_all(conn)
                .await
        })?,
        false => {
            let buckets: Vec<i64> = buckets.iter().map(|bucket| bucket.raw()).collect();
            let buckets = batch::padded(&buckets);
            let head = head + " AND bucket IN";
            let sql = batch::any_of(&head, 2, &tail);
            fetch_list!(tx, sql, [after.raw()], &buckets)?
        }
    };
    Ok(rows.into_iter().filter_map(place).collect())
}

/// Do more than so many bodies wait, on any node?
pub async fn many_wait_all_tenants(tx: &mut Tx, many: usize) -> Result<bool> {
    let index = tx.pick("INDEXED BY inbound_raw_todo", "");
    // Written out, as above.
    let sql =
        format!("SELECT 1 FROM inbound_raw {index} WHERE attached_at = 0 LIMIT 1 OFFSET {many}");
    let row: Option<(i32,)> = on_backend!(tx, |conn| {
        sqlx::query_as(AssertSqlSafe(sql))
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.is_some())
}

/// The bodies that wait, on any node, with their lanes; `None`: more than `most` do.
pub async fn few_waiting_all_tenants(tx: &mut Tx, most: usize) -> Result<Option<Vec<Place>>> {
    let index = tx.pick("INDEXED BY inbound_raw_todo", "");
    let sql = format!(
        "SELECT id, bucket, number FROM inbound_raw {index} WHERE attached_at = 0 LIMIT {}",
        most.saturating_add(1)
    );
    let rows: Vec<(i64, i64, i64)> = on_backend!(tx, |conn| {
        sqlx::query_as(AssertSqlSafe(sql)).fetch_all(conn).await
    })?;
    if rows.len() > most {
        return Ok(None);
    }
    Ok(Some(rows.into_iter().filter_map(place).collect()))
}

/// Those of these bodies that wait, oldest first. The bytes come of as many as have `most_bytes` together, and of one that is
/// larger than that by itself.
pub async fn bodies_all_tenants(
    tx: &mut Tx,
    ids: &[RawId],
    most_bytes: i64,
) -> Result<Vec<SizedRow>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = batch::padded(&ids.iter().map(|id| id.raw()).collect::<Vec<_>>());
    // Lengths first: neither database reads a body to tell how long it is. Bodies are looked up row by row, never
    // joined: no planner shall think of reading the whole table.
    let sql = batch::any_of(
        "WITH waiting AS (
            SELECT r.id, r.app, r.bucket, r.number, r.received_at, CASE WHEN r.part_of = 0 THEN r.id ELSE r.part_of END AS whole,
                CASE WHEN r.part_of = 0 THEN LENGTH(r.body)
                    ELSE (SELECT LENGTH(w.body) FROM inbound_raw w WHERE w.id = r.part_of) END AS bytes
            FROM inbound_raw r WHERE r.attached_at = 0 AND r.id IN",
        2,
        "), sized AS (
            SELECT id, app, bucket, number, received_at, whole, bytes, SUM(bytes) OVER (ORDER BY id) - bytes AS ahead FROM waiting
         )
         SELECT s.id, s.app, s.bucket, s.number, s.received_at, CAST(s.bytes AS BIGINT) AS bytes,
            CASE WHEN s.ahead < $1 THEN (SELECT w.body FROM inbound_raw w WHERE w.id = s.whole) END AS body
         FROM sized s ORDER BY s.id",
    );
    Ok(fetch_list!(tx, sql, [most_bytes], &ids)?)
}

/// Says that everything in these bodies has been attached.
pub async fn mark_attached_all_tenants(tx: &mut Tx, raws: &[RawId], now: Timestamp) -> Result<()> {
    for run in batch::groups(tx, raws) {
        let head = "UPDATE inbound_raw SET attached_at = $1 WHERE id IN";
        let sql = batch::any_of(head, 2, "");
        execute_list!(tx, sql, [now.millis()], run.iter().map(|raw| raw.raw()))?;
    }
    Ok(())
}

/// Does the body that this row is part of have a row in that bucket?
pub async fn has_part_all_tenants(tx: &mut Tx, raw: RawId, bucket: Bucket) -> Result<bool> {
    let whole = whole_of_all_tenants(tx, raw).await?;
    let found: Option<i64> = on_backend!(tx, |conn| {
        // A body's parts are written together: their ids are neighbours, which spares an index.
        sqlx::query_scalar(
            "SELECT id FROM inbound_raw WHERE id >= $1 AND id < $1 + 1000000000000 AND bucket = $2
                AND (id = $1 OR part_of = $1) LIMIT 1",
        )
        .bind(whole.raw())
        .bind(bucket.raw())
        .fetch_optional(conn)
        .await
    })?;
    Ok(found.is_some())
}

/// The row that holds the bytes of this row's body.
pub async fn whole_of_all_tenants(tx: &mut Tx, raw: RawId) -> Result<RawId> {
    let whole: i64 = on_backend!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT CASE WHEN part_of = 0 THEN id ELSE part_of END FROM inbound_raw WHERE id = $1",
        )
        .bind(raw.raw())
        .fetch_one(conn)
        .await
    })?;
    Ok(RawId::from_raw(whole))
}

/// The bytes of a body.
pub async fn body_all_tenants(tx: &mut Tx, raw: RawId) -> Result<Option<Vec<u8>>> {
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT w.body FROM inbound_raw r
             JOIN inbound_raw w ON w.id = CASE WHEN r.part_of = 0 THEN r.id ELSE r.part_of END WHERE r.id = $1",
        )
        .bind(raw.raw())
        .fetch_optional(conn)
        .await
    })?)
}

/// When the oldest body that waits and may be of that number arrived: what the backlog rule of promise 4 asks.
pub async fn oldest_unattached_of_all_tenants(
    tx: &mut Tx,
    number: NumberId,
) -> Result<Option<Timestamp>> {
    let index = tx.pick("INDEXED BY inbound_raw_todo", "");
    let sql = format!(
        "SELECT received_at FROM inbound_raw {index} WHERE attached_at = 0 AND bucket = $1 AND number IN ($2, $3, $4)
            ORDER BY id LIMIT 1"
    );
    let oldest: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(Bucket::of(number).raw())
            .bind(number.raw())
            .bind(Whose::Any.raw())
            .bind(Whose::Nobody.raw())
            .fetch_optional(conn)
            .await
    })?;
    Ok(oldest.map(Timestamp::from_millis))
}

/// When the oldest body that waits arrived, of these buckets. Ids are given as bodies arrive, so the first by id is the
/// oldest, to the milliseconds by which nodes' clocks differ.
pub async fn oldest_unattached_all_tenants(
    tx: &mut Tx,
    buckets: &[Bucket],
) -> Result<Option<Timestamp>> {
    if buckets.is_empty() {
        return Ok(None);
    }
    let buckets = batch::padded(
        &buckets
            .iter()
            .map(|bucket| bucket.raw())
            .collect::<Vec<_>>(),
    );
    // Of all that wait only the first is read: a backlog may be long. SQLite would rather walk over the rows themselves.
    let index = tx.pick("INDEXED BY inbound_raw_todo", "");
    let head =
        format!("SELECT received_at FROM inbound_raw {index} WHERE attached_at = 0 AND bucket IN");
    let sql = batch::any_of(&head, 1, " ORDER BY id LIMIT 1");
    let rows: Vec<(i64,)> = fetch_list!(tx, sql, [0_i64; 0], &buckets)?;
    Ok(rows.first().map(|row| Timestamp::from_millis(row.0)))
}

/// How many bodies wait to be attached.
pub async fn count_unattached_all_tenants(tx: &mut Tx) -> Result<i64> {
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar("SELECT COUNT(*) FROM inbound_raw WHERE attached_at = 0")
            .fetch_one(conn)
            .await
    })?)
}
