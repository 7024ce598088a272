//! Digests of wamids: one small row for thousands of sends or events, made behind the way of messages, so that a message is
//! found by Meta's id without an index that every turn would pay for.

use sqlx::FromRow;

use super::{Result, Tx, batch, execute, fetch_list, on_backend};
use crate::domain::TenantId;

/// The tables whose rows carry wamids. The numbers are what the database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Sends = 1,
    Events = 2,
}

impl Source {
    pub const ALL: [Self; 2] = [Self::Sends, Self::Events];

    fn table(self) -> &'static str {
        match self {
            Self::Sends => "outbox",
            Self::Events => "inbound_event",
        }
    }

    /// Of a row without a wamid: may it get one yet? An event has its own from the first, or none.
    fn may_come(self) -> &'static str {
        match self {
            // Queued, claimed, in doubt, deferred; a receipt may settle what may have been sent at any time.
            Self::Sends => "state IN (0, 1, 3, 7) OR doubts > 0",
            Self::Events => "1 = 0",
        }
    }
}

/// What is known of the rows between two ids, both included.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Digest {
    pub first: i64,
    pub last: i64,
    pub filter: Vec<u8>,
    /// Ids, eight bytes each: rows that had no wamid yet when this was made.
    pub late: Vec<u8>,
}

/// A row as a digest takes it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Carried {
    pub id: i64,
    pub wamid: String,
    /// 1: none, but one may come.
    pub may_come: i64,
}

/// The last row that a digest knows of; 0: there is none.
pub async fn end_all_tenants(tx: &mut Tx, source: Source) -> Result<i64> {
    const SQL: &str = "SELECT COALESCE(MAX(last), 0) FROM wamid_digest WHERE source = $1";
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(source as i64)
        .fetch_one(conn)
        .await)?)
}

/// Rows between two ids, neither included, in order.
pub async fn carried_all_tenants(
    tx: &mut Tx,
    source: Source,
    (after, before): (i64, i64),
    most: i64,
) -> Result<Vec<Carried>> {
    let (table, may_come) = (source.table(), source.may_come());
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT id, wamid, CASE WHEN wamid = '' AND ({may_come}) THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS may_come
            FROM {table} WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3"
    ));
    Ok(on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(after)
        .bind(before)
        .bind(most)
        .fetch_all(conn)
        .await)?)
}

pub async fn add_all_tenants(tx: &mut Tx, source: Source, digest: &Digest) -> Result<()> {
    const SQL: &str =
        "INSERT INTO wamid_digest (source, last, first, filter, late) VALUES ($1, $2, $3, $4, $5)";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(source as i64)
            .bind(digest.last)
            .bind(digest.first)
            .bind(&digest.filter)
            .bind(&digest.late)
    )?;
    Ok(())
}

/// Lets go of digests all of whose rows are gone.
pub async fn forget_all_tenants(tx: &mut Tx, source: Source) -> Result<u64> {
    let sql = sqlx::AssertSqlSafe(format!(
        "DELETE FROM wamid_digest WHERE source = $1 AND last < (SELECT MIN(id) FROM {})",
        source.table()
    ));
    Ok(execute!(tx, sqlx::query(sql).bind(source as i64))?)
}

/// Digests before one that ends there, the newest first.
pub async fn digests_all_tenants(
    tx: &mut Tx,
    source: Source,
    before: i64,
    most: i64,
) -> Result<Vec<Digest>> {
    const SQL: &str =
        "SELECT first, last, filter, late FROM wamid_digest WHERE source = $1 AND last < $2
        ORDER BY last DESC LIMIT $3";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(source as i64)
        .bind(before)
        .bind(most)
        .fetch_all(conn)
        .await)?)
}

/// Whose row between two ids, both included, carries this wamid.
pub async fn within_all_tenants(
    tx: &mut Tx,
    source: Source,
    (first, last): (i64, i64),
    wamid: &str,
) -> Result<Option<(TenantId, i64)>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT tenant, id FROM {} WHERE id >= $1 AND id <= $2 AND wamid = $3 AND tenant <> 0 ORDER BY id DESC LIMIT 1",
        source.table()
    ));
    let row: Option<(i64, i64)> = on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(first)
        .bind(last)
        .bind(wamid)
        .fetch_optional(conn)
        .await)?;
    Ok(row.map(|(tenant, id)| (TenantId::from_raw(tenant), id)))
}

/// Whose of these rows carries this wamid.
pub async fn among_all_tenants(
    tx: &mut Tx,
    source: Source,
    ids: &[i64],
    wamid: &str,
) -> Result<Option<(TenantId, i64)>> {
    let head = format!(
        "SELECT tenant, id FROM {} WHERE tenant <> 0 AND wamid = $1 AND id IN",
        source.table()
    );
    for run in batch::groups(tx, ids) {
        let sql = batch::any_of(&head, 2, "");
        let rows: Vec<(i64, i64)> = fetch_list!(tx, sql, [wamid], run)?;
        if let Some((tenant, id)) = rows.first() {
            return Ok(Some((TenantId::from_raw(*tenant), *id)));
        }
    }
    Ok(None)
}
