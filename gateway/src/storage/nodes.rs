//! Node slots: ten bits of every id, leased so that no two live nodes share them. Time is the database's.

use std::time::Duration;

use sqlx::Connection;

use super::{Db, Result, Tx, execute, on_backend};
use crate::domain::{Timestamp, id};

/// A leased slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    pub number: u16,
    /// Ids of this slot may only be made for later times than this.
    pub id_floor: Timestamp,
}

/// A slot whose lease has not run out.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LiveSlot {
    pub slot: i64,
    pub holder: String,
    /// 1: a node that shares the buckets. 0: a command that only makes ids, or a node that has just begun.
    works: i64,
}

impl LiveSlot {
    #[cfg(test)]
    pub(crate) fn new(slot: i64, holder: &str, works: bool) -> Self {
        Self {
            slot,
            holder: holder.to_owned(),
            works: i64::from(works),
        }
    }

    /// Is it a node that shares the buckets?
    pub fn works(&self) -> bool {
        self.works != 0
    }
}

/// The database's time within a statement: a time read by an earlier one may be long past when this one runs.
macro_rules! now {
    (sqlite) => {
        "CAST(unixepoch('subsec') * 1000 AS INTEGER)"
    };
    (postgres) => {
        "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    };
}

/// A statement with `NOW` between its parts, for either database.
macro_rules! with_now {
    ($tx:expr, $($part:literal),+) => {
        $tx.pick(
            with_now!(@join sqlite, $($part),+),
            with_now!(@join postgres, $($part),+),
        )
    };
    (@join $db:ident, $first:literal $(, $part:literal)*) => {
        concat!($first $(, now!($db), $part)*)
    };
}

/// The database's time: `doctor` compares it with ours.
pub async fn database_now(tx: &mut Tx) -> Result<Timestamp> {
    let sql = with_now!(tx, "SELECT ", "");
    let now: i64 = on_backend!(tx, |conn| sqlx::query_scalar(sql).fetch_one(conn).await)?;
    Ok(Timestamp::from_millis(now))
}

/// Leases a slot that nobody holds: an expired one, else a new one. `None`: all are taken.
///
/// Whose ids may reach into the future is left until that has passed: the next holder's ids would begin there, ahead of
/// every other node's, and what a conversation gets later elsewhere would sort before them (promise 3). Only when there
/// is no other slot one of those is taken, with the lowest floor. A slot whose life line is held is left too: its
/// holder stands still and may wake up.
///
/// What an earlier holder of the slot still seemed to own is freed, so that it is not taken for ours.
pub async fn lease_slot(db: &Db, holder: &str, ttl: Duration) -> Result<Option<Slot>> {
    let mut tx = db.begin().await?;
    let now = database_now(&mut tx).await?;
    let (past, future) = expired_slots(&mut tx, now).await?;
    let mut leased = first_leased(&mut tx, &past, holder, ttl).await?;
    if leased.is_none() {
        leased = lease_new(&mut tx, holder, ttl).await?;
    }
    if leased.is_none() {
        leased = first_leased(&mut tx, &future, holder, ttl).await?;
    }
    let Some((slot, floor)) = leased else {
        return Ok(None);
    };
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

/// Slots that anybody may have: those whose ids are all in the past by slot, and the others by floor.
async fn expired_slots(tx: &mut Tx, now: Timestamp) -> Result<(Vec<i64>, Vec<i64>)> {
    let held = held_life_lines(tx).await?;
    let expired: Vec<(i64, i64)> = on_backend!(tx, |conn| {
        sqlx::query_as(
            "SELECT slot, id_floor FROM node_slot WHERE expires_at < $1 ORDER BY id_floor, slot",
        )
        .bind(now.millis())
        .fetch_all(conn)
        .await
    })?;
    let free = expired.into_iter().filter(|(slot, _)| !held.contains(slot));
    let (past, future): (Vec<_>, Vec<_>) = free.partition(|(_, floor)| *floor <= now.millis());
    let slots = |rows: Vec<(i64, i64)>| rows.into_iter().map(|(slot, _)| slot).collect::<Vec<_>>();
    let mut past = slots(past);
    past.sort_unstable();
    Ok((past, slots(future)))
}

/// The first of these that nobody else leases at the same moment, with its floor.
async fn first_leased(
    tx: &mut Tx,
    slots: &[i64],
    holder: &str,
    ttl: Duration,
) -> Result<Option<(i64, i64)>> {
    for &slot in slots {
        if let Some(floor) = lease_expired(tx, slot, holder, ttl).await? {
            return Ok(Some((slot, floor)));
        }
    }
    Ok(None)
}

async fn lease_expired(tx: &mut Tx, slot: i64, holder: &str, ttl: Duration) -> Result<Option<i64>> {
    let sql = with_now!(
        tx,
        "UPDATE node_slot SET holder = $2, works = 0, expires_at = $3 + ",
        " WHERE slot = $1 AND expires_at < ",
        " RETURNING id_floor"
    );
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(sql)
            .bind(slot)
            .bind(holder)
            .bind(millis(ttl))
            .fetch_optional(conn)
            .await
    })?)
}

async fn lease_new(tx: &mut Tx, holder: &str, ttl: Duration) -> Result<Option<(i64, i64)>> {
    let highest: i64 = on_backend!(tx, |conn| {
        sqlx::query_scalar("SELECT CAST(COALESCE(MAX(slot), 0) AS BIGINT) FROM node_slot")
            .fetch_one(conn)
            .await
    })?;
    let sql = with_now!(
        tx,
        "INSERT INTO node_slot (slot, holder, works, expires_at, id_floor) VALUES ($1, $2, 0, $3 + ",
        ", 0) ON CONFLICT (slot) DO NOTHING"
    );
    // Whoever starts at the same moment has the same next number: it is theirs or ours, then the one after it.
    for slot in highest + 1..=i64::from(id::MAX_NODE) {
        let made = execute!(
            tx,
            sqlx::query(sql).bind(slot).bind(holder).bind(millis(ttl))
        )?;
        if made == 1 {
            return Ok(Some((slot, 0)));
        }
    }
    Ok(None)
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Says that the slot's holder is a node and shares the buckets from now on. `false`: the slot is somebody else's.
pub async fn join(db: &Db, slot: u16, holder: &str) -> Result<bool> {
    let mut tx = db.begin().await?;
    let sql = with_now!(
        tx,
        "UPDATE node_slot SET works = 1 WHERE slot = $1 AND holder = $2 AND expires_at >= ",
        ""
    );
    let done = execute!(&mut tx, sqlx::query(sql).bind(i64::from(slot)).bind(holder))?;
    tx.commit().await?;
    Ok(done == 1)
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
    let sql = with_now!(
        tx,
        "UPDATE node_slot SET id_floor = $4, expires_at = $3 + ",
        " WHERE slot = $1 AND holder = $2 AND expires_at >= ",
        ""
    );
    let done = execute!(
        &mut tx,
        sqlx::query(sql)
            .bind(i64::from(slot))
            .bind(holder)
            .bind(millis(ttl))
            .bind(id_floor.millis())
    )?;
    tx.commit().await?;
    Ok(done == 1)
}

/// Gives a holder's slot back at once, with all it owned: a clean stop, or a holder that was seen dead. `false`: the slot
/// is somebody else's by now, and nothing was freed.
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
    if freed == 0 {
        return Ok(false);
    }
    execute!(
        &mut tx,
        sqlx::query("UPDATE bucket_lease SET slot = -1, epoch = epoch + 1 WHERE slot = $1")
            .bind(slot)
    )?;
    tx.commit().await?;
    Ok(true)
}

/// Slots whose lease has not run out.
pub async fn live_slots(tx: &mut Tx) -> Result<Vec<LiveSlot>> {
    let sql = with_now!(
        tx,
        "SELECT slot, holder, works FROM node_slot WHERE expires_at >= ",
        " ORDER BY slot"
    );
    Ok(on_backend!(tx, |conn| sqlx::query_as(sql)
        .fetch_all(conn)
        .await)?)
}

/// Is the slot still this holder's? Until the transaction ends nobody can take or free it.
pub(super) async fn stays_ours(tx: &mut Tx, slot: u16, holder: &str) -> Result<bool> {
    let sql = tx.pick(
        concat!(
            "SELECT slot FROM node_slot WHERE slot = $1 AND holder = $2 AND expires_at >= ",
            now!(sqlite)
        ),
        concat!(
            "SELECT slot FROM node_slot WHERE slot = $1 AND holder = $2 AND expires_at >= ",
            now!(postgres),
            " FOR SHARE"
        ),
    );
    let found: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(sql)
            .bind(i64::from(slot))
            .bind(holder)
            .fetch_optional(conn)
            .await
    })?;
    Ok(found.is_some())
}

/// A connection whose session says "this node lives": when it goes, its slot can be freed without waiting for the
/// lease to run out. On SQLite, which has one process, there is nothing to hold.
#[derive(Debug)]
pub struct LifeLine(Option<sqlx::PgConnection>);

/// The class of our advisory locks; the number means nothing.
const LIFE: i32 = 0x7665_7374;

/// Takes the slot's life line. `None`: another session has it. Never waits for that one: the session of a lost host
/// lasts until PostgreSQL's own keep-alive gives up, which can be hours.
pub async fn hold_life_line(db: &Db, slot: u16) -> Result<Option<LifeLine>> {
    let Db::Postgres(pool) = db else {
        return Ok(Some(LifeLine(None)));
    };
    let mut conn = pool.acquire().await?.detach();
    let held: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1, $2)")
        .bind(LIFE)
        .bind(i32::from(slot))
        .fetch_one(&mut conn)
        .await?;
    Ok(held.then_some(LifeLine(Some(conn))))
}

impl LifeLine {
    /// Does its session still stand?
    pub async fn holds(&mut self) -> bool {
        match &mut self.0 {
            Some(conn) => conn.ping().await.is_ok(),
            None => true,
        }
    }
}

/// Slots whose life line some session holds. Asked of PostgreSQL's list of locks: to try a lock would be to hold it for
/// a moment, and its owner might ask just then.
pub async fn held_life_lines(tx: &mut Tx) -> Result<Vec<i64>> {
    let Tx::Postgres(conn) = tx else {
        return Ok(Vec::new());
    };
    // `objsubid` 2: a lock of two keys.
    let sql = "SELECT CAST(objid AS BIGINT) FROM pg_locks
         WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND CAST(classid AS BIGINT) = $1
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    Ok(sqlx::query_scalar(sql)
        .bind(i64::from(LIFE))
        .fetch_all(&mut **conn)
        .await?)
}
