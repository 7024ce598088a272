//! Retention: what is older than it must be goes, a bounded number of rows at a time, so that nobody waits for it.

use std::time::Duration;

use super::{Db, Result, execute};
use crate::domain::{Timestamp, id};

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub struct Ages {
    /// How long an event is known as seen, and its row kept.
    pub events: Duration,
    pub raw_bodies: Duration,
    pub journal: Duration,
}

/// Rows deleted in one transaction.
const STEP: i64 = 2_000;

/// Deletes what is old. Rows that still wait for something stay, however old they are. Answers how many rows went.
pub async fn all_tenants(db: &Db, now: Timestamp, ages: Ages) -> Result<u64> {
    let before = |age| id::first_id_at(now.minus(age));
    let steps = [
        (
            "DELETE FROM inbound_raw WHERE id IN
                (SELECT id FROM inbound_raw WHERE id < $1 AND attached_at > 0 ORDER BY id LIMIT $2)",
            before(ages.raw_bodies),
        ),
        (
            "DELETE FROM event_seen WHERE (at, hash) IN
                (SELECT at, hash FROM event_seen WHERE at < $1 ORDER BY at LIMIT $2)",
            now.minus(ages.events).millis(),
        ),
        (
            "DELETE FROM inbound_event WHERE id IN
                (SELECT id FROM inbound_event WHERE id < $1 AND state <> 0 ORDER BY id LIMIT $2)",
            before(ages.events),
        ),
        (
            "DELETE FROM turn WHERE id IN (SELECT id FROM turn WHERE id < $1 ORDER BY id LIMIT $2)",
            before(ages.journal),
        ),
    ];
    let mut gone = 0;
    for (sql, bound) in steps {
        loop {
            let mut tx = db.begin().await?;
            let deleted = execute!(&mut tx, sqlx::query(sql).bind(bound).bind(STEP))?;
            tx.commit().await?;
            gone += deleted;
            if deleted < STEP.cast_unsigned() {
                break;
            }
        }
    }
    Ok(gone)
}
