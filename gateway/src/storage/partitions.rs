//! PostgreSQL's range partitions: a week each, made ahead, so that retention is a dropped table.
//!
//! SQLite has none and needs none: there, retention deletes from the old end of append-ordered tables.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::{AssertSqlSafe, PgPool};

use super::forget::{KEPT, Kept};
use super::{Db, Result};
use crate::domain::Timestamp;

const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// Ids may be made for a moment ago: clocks differ, and a long transaction commits late.
const LATE_IDS: Duration = Duration::from_secs(3600);
/// Serialises nodes that make or drop partitions at the same time; the number means nothing.
const LOCK: i64 = 0x7665_7374_7061_7274;

/// Makes what partitions there should be and are not: from now until `ahead` from now, and for events, which go by
/// Meta's time, from `known_for` ago.
pub async fn ensure(db: &Db, now: Timestamp, ahead: Duration, known_for: Duration) -> Result<()> {
    let Db::Postgres(pool) = db else {
        return Ok(());
    };
    for kept in &KEPT {
        let there = weeks_of(pool, kept.table).await?;
        let late = if kept.by_id { LATE_IDS } else { known_for };
        for week in week(now.minus(late))..=week(now.plus(ahead)) {
            let (from, to) = (kept.bound(begin(week)), kept.bound(begin(week + 1)));
            // Before ids begin there is nothing to hold.
            if from < to && !there.contains(&week) {
                let table = kept.table;
                let sql = format!(
                    "CREATE TABLE IF NOT EXISTS {} PARTITION OF {table} FOR VALUES FROM ({from}) TO ({to})",
                    name(table, week)
                );
                alone(pool, sql).await?;
            }
        }
    }
    Ok(())
}

/// Drops the partitions that hold nothing younger than this and nothing that still waits. Answers how many.
pub(super) async fn drop_before(db: &Db, kept: &Kept, before: Timestamp) -> Result<u64> {
    let Db::Postgres(pool) = db else {
        return Ok(0);
    };
    let mut dropped = 0;
    for week in weeks_of(pool, kept.table).await? {
        if begin(week + 1) > before {
            continue;
        }
        let partition = name(kept.table, week);
        let stays: bool = sqlx::query_scalar(kept.stay_in(&partition))
            .fetch_one(pool)
            .await?;
        if stays {
            continue;
        }
        match alone(pool, format!("DROP TABLE IF EXISTS {partition}")).await {
            Ok(()) => dropped += 1,
            // Its lock did not come in time, usually: what is old today is old in an hour.
            Err(error) => {
                tracing::warn!(error = ?error, partition, "an old partition stays for now")
            }
        }
    }
    Ok(dropped)
}

/// Where the week of a moment begins.
pub(super) fn week_begin(at: Timestamp) -> Timestamp {
    begin(week(at))
}

/// Runs a change of the schema that locks the whole table: behind a long query it gives up, because everybody else
/// would wait behind it.
async fn alone(pool: &PgPool, sql: String) -> Result<()> {
    let mut tx = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *tx)
        .await?;
    sqlx::query("SET LOCAL lock_timeout = '2s'")
        .execute(&mut *tx)
        .await?;
    sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}

/// The weeks that a table has partitions for.
async fn weeks_of(pool: &PgPool, table: &str) -> Result<BTreeSet<i64>> {
    const SQL: &str = "SELECT CAST(part.relname AS TEXT) FROM pg_inherits
        JOIN pg_class part ON part.oid = inhrelid
        WHERE inhparent = to_regclass($1)";
    let names: Vec<String> = sqlx::query_scalar(SQL).bind(table).fetch_all(pool).await?;
    let prefix = format!("{table}_w");
    Ok(names
        .iter()
        .filter_map(|name| name.strip_prefix(&prefix)?.parse().ok())
        .collect())
}

fn name(table: &str, week: i64) -> String {
    format!("{table}_w{week}")
}

fn week(at: Timestamp) -> i64 {
    at.millis().max(0) / week_millis()
}

fn begin(week: i64) -> Timestamp {
    Timestamp::from_millis(week * week_millis())
}

fn week_millis() -> i64 {
    i64::try_from(WEEK.as_millis()).unwrap_or(i64::MAX)
}
