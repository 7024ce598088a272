//! PostgreSQL's range partitions: a week each, made ahead, so that retention is a dropped table.
//!
//! SQLite has none and needs none: there, retention deletes from the old end of append-ordered tables.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::{Db, Result};
use crate::domain::{Timestamp, id};

/// Partitioned tables, and whether they are ordered by id (else by time itself).
const TABLES: [(&str, bool); 6] = [
    ("inbound_raw", true),
    ("event_seen", false),
    ("inbound_event", true),
    ("turn", true),
    ("outbox", true),
    ("receipt", true),
];
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// Serialises nodes that make partitions at the same time; the number means nothing.
const LOCK: i64 = 0x7665_7374_7061_7274;

/// Makes the partitions from four weeks ago (late duplicates) until `ahead` from now.
pub async fn ensure(db: &Db, now: Timestamp, ahead: Duration) -> Result<()> {
    let Db::Postgres(pool) = db else {
        return Ok(());
    };
    let mut tx = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *tx)
        .await?;
    let first = week(now.minus(4 * WEEK));
    for week in first..=week(now.plus(ahead)) {
        for (table, by_id) in TABLES {
            let (from, to) = (bound(week, by_id), bound(week + 1, by_id));
            if from == to {
                continue;
            }
            let sql = format!(
                "CREATE TABLE IF NOT EXISTS {table}_w{week} PARTITION OF {table} FOR VALUES FROM ({from}) TO ({to})"
            );
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

fn week(at: Timestamp) -> i64 {
    at.millis().max(0) / week_millis()
}

fn bound(week: i64, by_id: bool) -> i64 {
    let at = Timestamp::from_millis(week * week_millis());
    if by_id {
        id::first_id_at(at)
    } else {
        at.millis()
    }
}

fn week_millis() -> i64 {
    i64::try_from(WEEK.as_millis()).unwrap_or(i64::MAX)
}
