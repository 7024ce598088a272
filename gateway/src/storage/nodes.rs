//! Node slots: ten bits of every id, leased so that no two live nodes share them. Time is the database's.

use std::time::Duration;

use sqlx::Connection as _;

use super::{Conn, Db, Result, Tx, execute, on_backend};
use crate::domain::{Timestamp, id};

/// A leased slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    pub number: u16,
    /// Ids of this slot may only be made for later times than this.
    pub id_floor: Timestamp,
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

/// A statement with the time of now between its parts, for either database.
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

/// Holders whose names begin so make ids and own no buckets: a verb of the command line.
pub const VERB: &str = "verb ";

/// A slot that was leased, with its life line.
#[derive(Debug)]
pub struct Leased {
    pub slot: Slot,
    pub life_line: LifeLine,
}

/// Leases a slot that nobody holds: an expired one, else a new one. `None`: all are taken.
///
/// A slot whose ids may reach into the future is left until that has passed: its next holder's ids would begin there,
/// ahead of every other node's, and what a conversation gets elsewhere later would sort before them (promise 3). Only
/// when there is no other slot one of those is taken, with the lowest floor.
///
/// What an earlier holder of the slot still seemed to own is freed, so that it is not taken for ours. The life line is
/// held before anybody can see the slot as leased: there is no moment in which a living holder looks dead. A slot whose
/// line another session has is passed by: a stopped process or lost host may have it for hours.
pub async fn lease_slot(db: &Db, holder: &str, ttl: Duration) -> Result<Option<Leased>> {
    let mut line = LifeLine::connect(db).await?;
    let mut tx = db.begin().await?;
    let (first, last) = free_slots(&mut tx).await?;
    let newer = highest(&mut tx).await? + 1..=i64::from(id::MAX_NODE);
    for slot in first.into_iter().chain(newer).chain(last) {
        if !line.take(slot).await? {
            continue;
        }
        let Some(id_floor) = occupy(&mut tx, slot, holder, ttl).await? else {
            line.let_go(slot).await?;
            continue;
        };
        release_buckets(&mut tx, slot).await?;
        tx.commit().await?;
        let slot = Slot {
            number: number(slot)?,
            id_floor,
        };
        return Ok(Some(Leased {
            slot,
            life_line: line,
        }));
    }
    Ok(None)
}

/// Expired slots that anybody may have: those whose ids are all in the past, by slot, and the others by floor.
async fn free_slots(tx: &mut Tx) -> Result<(Vec<i64>, Vec<i64>)> {
    let now = database_now(tx).await?.millis();
    let expired: Vec<(i64, i64)> = on_backend!(tx, |conn| {
        sqlx::query_as(
            "SELECT id_floor, slot FROM node_slot WHERE expires_at < $1 ORDER BY id_floor",
        )
        .bind(now)
        .fetch_all(conn)
        .await
    })?;
    let (past, future): (Vec<_>, Vec<_>) =
        expired.into_iter().partition(|(floor, _)| *floor <= now);
    let slots = |rows: Vec<(i64, i64)>| rows.into_iter().map(|(_, slot)| slot).collect::<Vec<_>>();
    let mut past = slots(past);
    past.sort_unstable();
    Ok((past, slots(future)))
}

async fn highest(tx: &mut Tx) -> Result<i64> {
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar("SELECT CAST(COALESCE(MAX(slot), 0) AS BIGINT) FROM node_slot")
            .fetch_one(conn)
            .await
    })?)
}

/// Makes the slot ours unless somebody else was faster. Its floor.
async fn occupy(tx: &mut Tx, slot: i64, holder: &str, ttl: Duration) -> Result<Option<Timestamp>> {
    let sql = with_now!(
        tx,
        "INSERT INTO node_slot (slot, holder, expires_at, id_floor) VALUES ($1, $2, $3 + ",
        ", 0) ON CONFLICT (slot) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
            WHERE node_slot.expires_at < ",
        " RETURNING id_floor"
    );
    let floor: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(sql)
            .bind(slot)
            .bind(holder)
            .bind(millis(ttl))
            .fetch_optional(conn)
            .await
    })?;
    Ok(floor.map(Timestamp::from_millis))
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn number(slot: i64) -> Result<u16> {
    u16::try_from(slot).map_err(|_| super::StorageError::Corrupt(format!("node slot {slot}")))
}

async fn release_buckets(tx: &mut Tx, slot: i64) -> Result<()> {
    execute!(
        tx,
        sqlx::query("UPDATE bucket_lease SET slot = -1, epoch = epoch + 1 WHERE slot = $1")
            .bind(slot)
    )?;
    Ok(())
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
    let sql = with_now!(
        tx,
        "SELECT slot, holder FROM node_slot WHERE expires_at >= ",
        " ORDER BY slot"
    );
    let rows: Vec<(i64, String)> =
        on_backend!(tx, |conn| sqlx::query_as(sql).fetch_all(conn).await)?;
    rows.into_iter()
        .map(|(slot, holder)| {
            Ok(LiveSlot {
                number: number(slot)?,
                holder,
            })
        })
        .collect()
}

/// A connection whose session says "this holder lives": when it goes, its slot can be freed without waiting for the
/// lease to run out. On SQLite, which has one process, there is nothing to hold.
#[derive(Debug)]
pub struct LifeLine(Option<sqlx::PgConnection>);

/// The class of our advisory locks; the number means nothing.
const LIFE: i32 = 0x7665_7374;

impl LifeLine {
    /// Takes the line of a slot that is ours. `None`: another session has it, as our own does for a while after it broke.
    pub async fn again(db: &Db, slot: u16) -> Result<Option<Self>> {
        let mut line = Self::connect(db).await?;
        Ok(line.take(i64::from(slot)).await?.then_some(line))
    }

    /// Does its session still stand?
    pub async fn holds(&mut self) -> bool {
        match &mut self.0 {
            Some(conn) => conn.ping().await.is_ok(),
            None => true,
        }
    }

    async fn connect(db: &Db) -> Result<Self> {
        let Db::Postgres(pool) = db else {
            return Ok(Self(None));
        };
        // Beside the pool: it is kept for as long as the slot.
        let conn = sqlx::PgConnection::connect_with(&pool.connect_options()).await?;
        Ok(Self(Some(conn)))
    }

    /// Never waits: `false` when another session has it.
    async fn take(&mut self, slot: i64) -> Result<bool> {
        self.ask("SELECT pg_try_advisory_lock($1, CAST($2 AS INTEGER))", slot)
            .await
    }

    async fn let_go(&mut self, slot: i64) -> Result<bool> {
        self.ask("SELECT pg_advisory_unlock($1, CAST($2 AS INTEGER))", slot)
            .await
    }

    async fn ask(&mut self, sql: &'static str, slot: i64) -> Result<bool> {
        let Some(conn) = &mut self.0 else {
            return Ok(true);
        };
        let query = sqlx::query_scalar(sql).bind(LIFE).bind(slot);
        Ok(query.fetch_one(conn).await?)
    }
}

/// Slots whose life line some session has. Asked of PostgreSQL's list of locks: to try a lock would be to hold it for a
/// moment, and its owner might ask just then.
pub async fn held_life_lines(tx: &mut Tx) -> Result<Vec<u16>> {
    let Conn::Postgres(postgres) = &mut tx.conn else {
        return Ok(Vec::new());
    };
    // `objsubid` 2: a lock of two keys.
    let sql = "SELECT CAST(objid AS BIGINT) FROM pg_locks
         WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND CAST(classid AS BIGINT) = $1
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let slots: Vec<i64> = sqlx::query_scalar(sql)
        .bind(i64::from(LIFE))
        .fetch_all(postgres.connection())
        .await?;
    slots.into_iter().map(number).collect()
}
