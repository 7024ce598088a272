//! Node slots: ten bits of every id, leased so that no two live nodes share them. Time is the database's.

use std::time::Duration;

use super::{Db, Result, Tx, execute, on_backend};
use crate::domain::{Timestamp, id};

/// A leased slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    pub number: u16,
    /// Ids of this slot may only be made for later times than this.
    pub id_floor: Timestamp,
}

/// The database's time: `doctor` compares it with ours.
pub async fn database_now(tx: &mut Tx) -> Result<Timestamp> {
    let sql = tx.pick(
        "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
    );
    let now: i64 = on_backend!(tx, |conn| sqlx::query_scalar(sql).fetch_one(conn).await)?;
    Ok(Timestamp::from_millis(now))
}

/// Leases a slot that nobody holds: an expired one, else a new one. `None`: all are taken.
///
/// What an earlier holder of the slot still seemed to own is freed, so that it is not taken for ours.
pub async fn lease_slot(db: &Db, holder: &str, ttl: Duration) -> Result<Option<Slot>> {
    let mut tx = db.begin().await?;
    let now = database_now(&mut tx).await?;
    let expired = tx.pick(
        "SELECT slot FROM node_slot WHERE expires_at < $1 ORDER BY slot LIMIT 1",
        "SELECT slot FROM node_slot WHERE expires_at < $1 ORDER BY slot LIMIT 1 FOR UPDATE SKIP LOCKED",
    );
    let found: Option<i64> = on_backend!(&mut tx, |conn| sqlx::query_scalar(expired)
        .bind(now.millis())
        .fetch_optional(conn)
        .await)?;
    let slot = match found {
        Some(slot) => slot,
        None => match new_slot(&mut tx).await? {
            Some(slot) => slot,
            None => return Ok(None),
        },
    };
    let floor: i64 = on_backend!(&mut tx, |conn| {
        sqlx::query_scalar(
            "UPDATE node_slot SET holder = $2, expires_at = $3 WHERE slot = $1 RETURNING id_floor",
        )
        .bind(slot)
        .bind(holder)
        .bind(now.plus(ttl).millis())
        .fetch_one(conn)
        .await
    })?;
    execute!(
        &mut tx,
        sqlx::query("UPDATE bucket_lease SET slot = -1, epoch = epoch + 1 WHERE slot = $1")
            .bind(slot)
    )?;
    tx.commit().await?;
    let number = u16::try_from(slot)
        .map_err(|_| super::StorageError::Corrupt(format!("node slot {slot}")))?;
    Ok(Some(Slot {
        number,
        id_floor: Timestamp::from_millis(floor),
    }))
}

async fn new_slot(tx: &mut Tx) -> Result<Option<i64>> {
    if tx.is_postgres() {
        // Two nodes that start together must not both make slot n + 1.
        execute!(
            tx,
            sqlx::query("LOCK TABLE node_slot IN SHARE ROW EXCLUSIVE MODE")
        )?;
    }
    let slot: i64 = on_backend!(tx, |conn| {
        sqlx::query_scalar("SELECT CAST(COALESCE(MAX(slot), 0) + 1 AS BIGINT) FROM node_slot")
            .fetch_one(conn)
            .await
    })?;
    if slot > i64::from(id::MAX_NODE) {
        return Ok(None);
    }
    execute!(
        tx,
        sqlx::query(
            "INSERT INTO node_slot (slot, holder, expires_at, id_floor) VALUES ($1, '', 0, 0)"
        )
        .bind(slot)
    )?;
    Ok(Some(slot))
}

/// Keeps the slot for another `ttl`. `false`: it is somebody else's by now, and so is everything it owned.
pub async fn renew_slot(
    db: &Db,
    slot: u16,
    holder: &str,
    ttl: Duration,
    id_floor: Timestamp,
) -> Result<bool> {
    let mut tx = db.begin_urgent().await?;
    let now = database_now(&mut tx).await?;
    let done = execute!(
        &mut tx,
        sqlx::query(
            "UPDATE node_slot SET expires_at = $3, id_floor = $4 WHERE slot = $1 AND holder = $2 AND expires_at >= $5",
        )
        .bind(i64::from(slot))
        .bind(holder)
        .bind(now.plus(ttl).millis())
        .bind(id_floor.millis())
        .bind(now.millis())
    )?;
    tx.commit().await?;
    Ok(done == 1)
}

/// Gives the slot back at once, with all it owned: a clean stop, or a holder that was seen dead.
pub async fn free_slot(db: &Db, slot: u16) -> Result<()> {
    let mut tx = db.begin().await?;
    let slot = i64::from(slot);
    execute!(
        &mut tx,
        sqlx::query("UPDATE node_slot SET expires_at = 0, holder = '' WHERE slot = $1").bind(slot)
    )?;
    execute!(
        &mut tx,
        sqlx::query("UPDATE bucket_lease SET slot = -1, epoch = epoch + 1 WHERE slot = $1")
            .bind(slot)
    )?;
    tx.commit().await
}

/// Slots whose lease has not run out, with their holders' names.
pub async fn live_slots(tx: &mut Tx) -> Result<Vec<(i64, String)>> {
    let now = database_now(tx).await?;
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as("SELECT slot, holder FROM node_slot WHERE expires_at >= $1 ORDER BY slot")
            .bind(now.millis())
            .fetch_all(conn)
            .await
    })?)
}

/// A connection whose session says "this node lives": when it goes, its slot can be freed without waiting for the
/// lease to run out. PostgreSQL only; SQLite has one process.
#[derive(Debug)]
pub struct LifeLine(
    #[expect(dead_code, reason = "it is its being open that counts")] sqlx::PgConnection,
);

/// The class of our advisory locks; the number means nothing.
const LIFE: i32 = 0x7665_7374;

/// Takes the slot's life line. `None` on SQLite.
pub async fn hold_life_line(db: &Db, slot: u16) -> Result<Option<LifeLine>> {
    let Db::Postgres(pool) = db else {
        return Ok(None);
    };
    let mut conn = pool.acquire().await?.detach();
    sqlx::query("SELECT pg_advisory_lock($1, $2)")
        .bind(LIFE)
        .bind(i32::from(slot))
        .execute(&mut conn)
        .await?;
    Ok(Some(LifeLine(conn)))
}

/// Is the session that held this slot's life line gone?
pub async fn is_dead(db: &Db, slot: i64) -> Result<bool> {
    let Db::Postgres(pool) = db else {
        return Ok(true);
    };
    let key = i32::try_from(slot).unwrap_or(-1);
    let mut conn = pool.acquire().await?;
    let free: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, $2)")
        .bind(LIFE)
        .bind(key)
        .fetch_one(&mut *conn)
        .await?;
    if free {
        sqlx::query("SELECT pg_advisory_unlock($1, $2)")
            .bind(LIFE)
            .bind(key)
            .execute(&mut *conn)
            .await?;
    }
    Ok(free)
}
