//! Node slots: ten bits of every id, leased so that no two live nodes share them. Time is the database's.

use std::time::Duration;

use sqlx::Connection as _;

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

/// Holders whose names begin so make ids and own no buckets: a verb of the command line.
pub const VERB: &str = "verb ";

/// A slot that was leased, with its life line (none on SQLite, which has one process).
#[derive(Debug)]
pub struct Leased {
    pub slot: Slot,
    pub life_line: Option<LifeLine>,
}

/// Leases a slot that nobody holds: an expired one, else a new one. `None`: all are taken.
///
/// What an earlier holder of the slot still seemed to own is freed, so that it is not taken for ours. The life line is
/// held before anybody can see the slot as leased: there is no moment in which a living holder looks dead.
pub async fn lease_slot(db: &Db, holder: &str, ttl: Duration) -> Result<Option<Leased>> {
    let mut above = 0;
    loop {
        let mut tx = db.begin().await?;
        let Some(slot) = free_one(&mut tx, above).await? else {
            return Ok(None);
        };
        let life_line = match db {
            Db::Sqlite { .. } => None,
            // A stopped process may hold the line of a slot that ran out: waiting for it could take for ever.
            Db::Postgres(_) => match LifeLine::take(db, slot).await? {
                Some(line) => Some(line),
                None => {
                    above = slot;
                    continue;
                }
            },
        };
        let id_floor = occupy(&mut tx, slot, holder, ttl).await?;
        tx.commit().await?;
        let number = u16::try_from(slot)
            .map_err(|_| super::StorageError::Corrupt(format!("node slot {slot}")))?;
        let slot = Slot { number, id_floor };
        return Ok(Some(Leased { slot, life_line }));
    }
}

/// The first slot above this one that nobody holds, locked.
async fn free_one(tx: &mut Tx, above: i64) -> Result<Option<i64>> {
    let now = database_now(tx).await?;
    let expired = tx.pick(
        "SELECT slot FROM node_slot WHERE expires_at < $1 AND slot > $2 ORDER BY slot LIMIT 1",
        "SELECT slot FROM node_slot WHERE expires_at < $1 AND slot > $2 ORDER BY slot LIMIT 1 FOR UPDATE SKIP LOCKED",
    );
    let found: Option<i64> = on_backend!(tx, |conn| sqlx::query_scalar(expired)
        .bind(now.millis())
        .bind(above)
        .fetch_optional(conn)
        .await)?;
    match found {
        Some(slot) => Ok(Some(slot)),
        None => new_slot(tx, above).await,
    }
}

async fn occupy(tx: &mut Tx, slot: i64, holder: &str, ttl: Duration) -> Result<Timestamp> {
    let until = database_now(tx).await?.plus(ttl);
    let floor: i64 = on_backend!(tx, |conn| {
        sqlx::query_scalar(
            "UPDATE node_slot SET holder = $2, expires_at = $3 WHERE slot = $1 RETURNING id_floor",
        )
        .bind(slot)
        .bind(holder)
        .bind(until.millis())
        .fetch_one(conn)
        .await
    })?;
    release_buckets(tx, slot).await?;
    Ok(Timestamp::from_millis(floor))
}

async fn release_buckets(tx: &mut Tx, slot: i64) -> Result<()> {
    execute!(
        tx,
        sqlx::query("UPDATE bucket_lease SET slot = -1, epoch = epoch + 1 WHERE slot = $1")
            .bind(slot)
    )?;
    Ok(())
}

async fn new_slot(tx: &mut Tx, above: i64) -> Result<Option<i64>> {
    if tx.is_postgres() {
        // Two nodes that start together must not both make slot n + 1.
        execute!(
            tx,
            sqlx::query("LOCK TABLE node_slot IN SHARE ROW EXCLUSIVE MODE")
        )?;
    }
    let highest: i64 = on_backend!(tx, |conn| {
        sqlx::query_scalar("SELECT CAST(COALESCE(MAX(slot), 0) AS BIGINT) FROM node_slot")
            .fetch_one(conn)
            .await
    })?;
    let slot = highest.max(above) + 1;
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

/// Gives a holder's slot back at once, with all it owned: a clean stop, or a holder that was seen dead. `false`: the
/// slot is not (or no longer) that holder's, and nothing changed.
pub async fn free_slot(db: &Db, slot: u16, holder: &str) -> Result<bool> {
    let mut tx = db.begin().await?;
    let slot = i64::from(slot);
    let freed = execute!(
        &mut tx,
        sqlx::query(
            "UPDATE node_slot SET expires_at = 0, holder = '' WHERE slot = $1 AND holder = $2"
        )
        .bind(slot)
        .bind(holder)
    )?;
    if freed == 1 {
        release_buckets(&mut tx, slot).await?;
    }
    tx.commit().await?;
    Ok(freed == 1)
}

/// A slot whose lease has not run out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSlot {
    pub number: u16,
    pub holder: String,
}

impl LiveSlot {
    /// Does its holder take buckets?
    pub fn is_node(&self) -> bool {
        !self.holder.starts_with(VERB)
    }
}

/// Slots whose lease has not run out: nodes and verbs.
pub async fn live_slots(tx: &mut Tx) -> Result<Vec<LiveSlot>> {
    let now = database_now(tx).await?;
    let rows: Vec<(i64, String)> = on_backend!(tx, |conn| {
        sqlx::query_as("SELECT slot, holder FROM node_slot WHERE expires_at >= $1 ORDER BY slot")
            .bind(now.millis())
            .fetch_all(conn)
            .await
    })?;
    rows.into_iter()
        .map(|(slot, holder)| {
            let number = u16::try_from(slot)
                .map_err(|_| super::StorageError::Corrupt(format!("node slot {slot}")))?;
            Ok(LiveSlot { number, holder })
        })
        .collect()
}

/// A connection whose session says "this holder lives": when it goes, its slot can be freed without waiting for the
/// lease to run out. PostgreSQL only; SQLite has one process.
#[derive(Debug)]
pub struct LifeLine(
    #[expect(dead_code, reason = "it is its being open that counts")] sqlx::PgConnection,
);

/// The class of our advisory locks; the number means nothing.
const LIFE: i32 = 0x7665_7374;

impl LifeLine {
    /// Takes a slot's life line. `None`: another session has it (or there is none, on SQLite).
    async fn take(db: &Db, slot: i64) -> Result<Option<Self>> {
        let Db::Postgres(pool) = db else {
            return Ok(None);
        };
        // Beside the pool: the caller's transaction may hold its only connection.
        let mut conn = sqlx::PgConnection::connect_with(&pool.connect_options()).await?;
        let taken = try_lock(&mut conn, slot).await?;
        Ok(taken.then_some(Self(conn)))
    }
}

/// Is the session that held this slot's life line gone?
pub async fn is_dead(db: &Db, slot: u16) -> Result<bool> {
    let Db::Postgres(pool) = db else {
        return Ok(true);
    };
    let slot = i64::from(slot);
    let mut conn = pool.acquire().await?;
    let free = try_lock(&mut conn, slot).await?;
    if free {
        sqlx::query("SELECT pg_advisory_unlock($1, CAST($2 AS INTEGER))")
            .bind(LIFE)
            .bind(slot)
            .execute(&mut *conn)
            .await?;
    }
    Ok(free)
}

async fn try_lock(conn: &mut sqlx::PgConnection, slot: i64) -> Result<bool> {
    Ok(
        sqlx::query_scalar("SELECT pg_try_advisory_lock($1, CAST($2 AS INTEGER))")
            .bind(LIFE)
            .bind(slot)
            .fetch_one(conn)
            .await?,
    )
}
