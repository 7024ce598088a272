//! Retention: what is older than it must be goes, a bounded number of rows at a time, so that nobody waits for it.
//!
//! On PostgreSQL whole weeks go at once, as dropped partitions ([`partitions`]); there rows are deleted only where a
//! partition stays because something in it still waits, and so a row lives up to a week longer than its age.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::{Db, Result, execute, partitions};
use crate::domain::{Timestamp, id};

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub struct Ages {
    /// How long an event is known as seen, and its row kept.
    pub events: Duration,
    pub raw_bodies: Duration,
    pub journal: Duration,
    /// Sends and their receipts.
    pub sends: Duration,
}

/// A table that grows with traffic, and what of it may go.
pub(super) struct Kept {
    pub table: &'static str,
    pub primary_key: &'static str,
    /// The column that grows with time, the first of the primary key.
    pub grows: &'static str,
    /// It holds ids, not times.
    pub by_id: bool,
    pub age: fn(&Ages) -> Duration,
    /// Rows that stay, however old they are: they still wait, or something that waits needs them. Answered from the
    /// partial indexes of what waits. A row that is done never waits again.
    pub stays: &'static str,
}

pub(super) const KEPT: [Kept; 10] = [
    Kept {
        table: "inbound_raw",
        primary_key: "id",
        grows: "id",
        by_id: true,
        age: |ages| ages.raw_bodies,
        // The body of a POST stands in one row, but other rows of it may belong to buckets that are behind; and a
        // turn that still waits looks at its message as Meta sent it.
        stays: "attached_at = 0
            OR id IN (SELECT part_of FROM inbound_raw WHERE attached_at = 0)
            OR id IN (SELECT raw FROM inbound_event WHERE state = 0)",
    },
    Kept {
        table: "event_seen",
        primary_key: "at, hash",
        grows: "at",
        by_id: false,
        age: |ages| ages.events,
        stays: "FALSE",
    },
    Kept {
        table: "inbound_event",
        primary_key: "id",
        grows: "id",
        by_id: true,
        age: |ages| ages.events,
        stays: "state = 0",
    },
    Kept {
        table: "turn",
        primary_key: "id",
        grows: "id",
        by_id: true,
        age: |ages| ages.journal,
        stays: "FALSE",
    },
    // Why a message was not sent is as old as the journals that say the same of turns.
    Kept {
        table: "refusal",
        primary_key: "id",
        grows: "id",
        by_id: true,
        age: |ages| ages.journal,
        stays: "FALSE",
    },
    // Whoever follows the stream finds the rows that it points at for as long.
    Kept {
        table: "stream_block",
        primary_key: "id",
        grows: "id",
        by_id: true,
        age: |ages| ages.events,
        stays: "FALSE",
    },
    Kept {
        table: "plugin_event",
        primary_key: "id",
        grows: "id",
        by_id: true,
        age: |ages| ages.events,
        stays: "FALSE",
    },
    Kept {
        table: "hook_delivery",
        primary_key: "id",
        grows: "id",
        by_id: true,
        age: |ages| ages.events,
        stays: "state = 0",
    },
    // Receipts before their sends, so that one that stays finds its send.
    Kept {
        table: "receipt",
        primary_key: "outbox, status",
        grows: "outbox",
        by_id: true,
        age: |ages| ages.sends,
        stays: "outbox IN (SELECT id FROM outbox WHERE state IN (0, 1, 3))
            OR outbox IN (SELECT id FROM outbox WHERE state = 7)",
    },
    Kept {
        table: "outbox",
        primary_key: "id",
        grows: "id",
        by_id: true,
        age: |ages| ages.sends,
        stays: "state IN (0, 1, 3) OR state = 7",
    },
];

/// Rows deleted in one transaction: nobody waits for the writer longer than that takes.
const STEP: i64 = 2_000;

/// What one round of retention did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gone {
    /// Rows deleted one by one.
    pub rows: u64,
    /// Partitions dropped whole.
    pub partitions: u64,
}

/// Lets go of what is old. Rows that still wait for something stay, however old they are.
pub async fn all_tenants(db: &Db, now: Timestamp, ages: Ages) -> Result<Gone> {
    let mut gone = Gone::default();
    for kept in &KEPT {
        let mut before = now.minus((kept.age)(&ages));
        if !db.is_sqlite() {
            before = partitions::week_begin(before);
            gone.partitions += partitions::drop_before(db, kept, before).await?;
        }
        gone.rows += delete_before_all_tenants(db, kept, before).await?;
    }
    Ok(gone)
}

async fn delete_before_all_tenants(db: &Db, kept: &Kept, before: Timestamp) -> Result<u64> {
    let Kept {
        table,
        primary_key,
        grows,
        stays,
        ..
    } = kept;
    let sql = format!(
        "DELETE FROM {table} WHERE ({primary_key}) IN
            (SELECT {primary_key} FROM {table} WHERE {grows} < $1 AND NOT ({stays}) ORDER BY {grows} LIMIT $2)"
    );
    in_steps_all_tenants(db, &sql, kept.bound(before)).await
}

/// Deletes by a statement of ours, whose `$1` is `bound` and whose `$2` says how many rows at the most, until nothing is
/// left for it. Answers how many rows went.
pub(super) async fn in_steps_all_tenants(db: &Db, sql: &str, bound: i64) -> Result<u64> {
    let mut gone = 0;
    loop {
        let mut tx = db.begin().await?;
        let step = AssertSqlSafe(sql.to_owned());
        let deleted = execute!(&mut tx, sqlx::query(step).bind(bound).bind(STEP))?;
        tx.commit().await?;
        gone += deleted;
        if deleted < STEP.cast_unsigned() {
            return Ok(gone);
        }
    }
}

impl Kept {
    /// The moment as a value of the column that grows.
    pub(super) fn bound(&self, at: Timestamp) -> i64 {
        match self.by_id {
            true => id::first_id_at(at),
            false => at.millis(),
        }
    }

    /// A query of which rows of a part of the table stay.
    pub(super) fn stay_in(&self, partition: &str) -> AssertSqlSafe<String> {
        let Self { grows, stays, .. } = self;
        AssertSqlSafe(format!(
            "SELECT EXISTS (SELECT {grows} FROM {partition} WHERE {stays})"
        ))
    }
}
