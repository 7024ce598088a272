//! The event stream's tables: what transactions told, the sealer's numbers, and reading from a number on.
//!
//! A number is given after the commit of what it counts, by one sealer at a time, under the row lock of its tenant's head:
//! so numbers have no gaps, and a reader who has seen number n never sees a lower one appear. The hot transactions pay one
//! small row each, whatever they tell, and share no row with one another.

mod codec;

use std::collections::BTreeMap;

use super::buckets::{self, Lease};
use super::{
    Db, Result, StorageError, Tx, batch, execute, execute_list, execute_rows, fetch_rows,
    on_backend,
};
use crate::domain::{Numbered, StreamEvent, TenantId};

/// Writes what a transaction told.
pub(super) async fn append_all_tenants(tx: &mut Tx, told: &[StreamEvent]) -> Result<()> {
    if told.is_empty() {
        return Ok(());
    }
    let body = codec::batch(told);
    execute!(
        tx,
        sqlx::query("INSERT INTO stream_batch (body) VALUES ($1)").bind(&body)
    )?;
    Ok(())
}

/// Batches that one sealing takes. A guess: a hundred milliseconds of a busy node.
const SEALED_AT_ONCE: i64 = 512;

/// Numbers what was told since the last time, up to [`SEALED_AT_ONCE`] batches. Answers whether there may be more.
///
/// Only under this lease, which one node has at a time. `next_id` makes the blocks' ids.
pub async fn seal_all_tenants(
    db: &Db,
    lease: Lease,
    mut next_id: impl FnMut() -> i64,
) -> Result<bool> {
    let mut look = db.read().await?;
    let waits = news_all_tenants(&mut look, i64::MAX).await?.waits;
    drop(look);
    if !waits {
        return Ok(false);
    }
    let mut tx = db.begin().await?;
    buckets::fence(&mut tx, &[lease]).await?;
    // The lease says that nobody else seals; the lock, that nobody does twice if somebody ever should.
    let sql = tx.pick(
        "SELECT id, body FROM stream_batch ORDER BY id LIMIT $1",
        "SELECT id, body FROM stream_batch ORDER BY id LIMIT $1 FOR UPDATE",
    );
    let batches: Vec<(i64, Vec<u8>)> = on_backend!(&mut tx, |conn| {
        sqlx::query_as(sql)
            .bind(SEALED_AT_ONCE)
            .fetch_all(conn)
            .await
    })?;
    let mut by_tenant: BTreeMap<i64, codec::Block> = BTreeMap::new();
    for (id, body) in &batches {
        codec::split(body, |tenant, event| {
            by_tenant.entry(tenant).or_default().push(event);
        })
        .ok_or_else(|| StorageError::Corrupt(format!("stream batch {id}")))?;
    }
    let blocks: Vec<(i64, codec::Block)> = by_tenant.into_iter().collect();
    let last = advance_all_tenants(&mut tx, &blocks).await?;
    write_all_tenants(&mut tx, &blocks, &last, &mut next_id).await?;
    let ids: Vec<i64> = batches.iter().map(|(id, _)| *id).collect();
    for run in batch::groups(&tx, &ids) {
        let sql = batch::any_of("DELETE FROM stream_batch WHERE id IN", 1, "");
        execute_list!(tx, sql, [0_i64; 0], run)?;
    }
    tx.commit().await?;
    Ok(i64::try_from(batches.len()) == Ok(SEALED_AT_ONCE))
}

/// Moves the tenants' heads, in the order of their ids; answers where they stand.
async fn advance_all_tenants(
    tx: &mut Tx,
    blocks: &[(i64, codec::Block)],
) -> Result<BTreeMap<i64, i64>> {
    let mut last = BTreeMap::new();
    for run in batch::groups(tx, blocks) {
        let sql = batch::rows(
            "INSERT INTO stream_head (tenant, last_seq) VALUES",
            2,
            "ON CONFLICT (tenant) DO UPDATE SET last_seq = stream_head.last_seq + excluded.last_seq
             RETURNING tenant, last_seq",
        );
        let rows: Vec<(i64, i64)> = fetch_rows!(tx, sql, run, |query, (tenant, block)| {
            query.bind(*tenant).bind(count(block))
        })?;
        last.extend(rows);
    }
    Ok(last)
}

async fn write_all_tenants(
    tx: &mut Tx,
    blocks: &[(i64, codec::Block)],
    last: &BTreeMap<i64, i64>,
    next_id: &mut impl FnMut() -> i64,
) -> Result<()> {
    for run in batch::groups(tx, blocks) {
        let sql = batch::rows(
            "INSERT INTO stream_block (id, tenant, first_seq, events, body) VALUES",
            5,
            "",
        );
        execute_rows!(tx, sql, run, |query, (tenant, block)| {
            let last = last.get(tenant).copied().unwrap_or_default();
            query
                .bind(next_id())
                .bind(tenant)
                .bind(last - count(block) + 1)
                .bind(count(block))
                .bind(&block.body)
        })?;
    }
    Ok(())
}

fn count(block: &codec::Block) -> i64 {
    i64::try_from(block.events).unwrap_or(i64::MAX)
}

/// How far a tenant's stream reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reach {
    /// The oldest number that is still kept; one more than `last` when nothing is.
    pub first: i64,
    /// The newest; 0: nothing happened yet.
    pub last: i64,
}

/// Where a tenant's stream begins and ends.
pub async fn reach(tx: &mut Tx, tenant: TenantId) -> Result<Reach> {
    // The head first: what is sealed in between is not missed, it is not reached yet.
    let last: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar("SELECT last_seq FROM stream_head WHERE tenant = $1")
            .bind(tenant.raw())
            .fetch_optional(conn)
            .await
    })?;
    let last = last.unwrap_or_default();
    let first: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT first_seq FROM stream_block WHERE tenant = $1 ORDER BY first_seq LIMIT 1",
        )
        .bind(tenant.raw())
        .fetch_optional(conn)
        .await
    })?;
    Ok(Reach {
        first: first.unwrap_or(last + 1),
        last,
    })
}

type BlockRow = (i64, Vec<u8>);

/// A tenant's events after number `after`, oldest first, and the number of the last that was looked at: at most `most`. An
/// event that a newer build wrote and this one does not know is passed over.
pub async fn after(
    tx: &mut Tx,
    tenant: TenantId,
    after: i64,
    most: usize,
) -> Result<(Vec<Numbered>, i64)> {
    // The block that `after + 1` stands in begins at it or before it.
    const SQL: &str = "SELECT first_seq, body FROM stream_block WHERE tenant = $1 AND first_seq >=
            COALESCE((SELECT first_seq FROM stream_block WHERE tenant = $1 AND first_seq <= $2
                ORDER BY first_seq DESC LIMIT 1), 0)
        ORDER BY first_seq LIMIT $3";
    let rows: Vec<BlockRow> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(after.saturating_add(1))
            // Every block holds one event at least.
            .bind(i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1))
            .fetch_all(conn)
            .await
    })?;
    let mut found = Vec::new();
    let mut position = after;
    for (first, body) in rows {
        let events = codec::events(tenant, &body).ok_or_else(|| corrupt(first, tenant))?;
        for (seq, event) in (first..).zip(events).filter(|(seq, _)| *seq > after) {
            if found.len() >= most {
                return Ok((found, position));
            }
            position = seq;
            found.extend(event.map(|event| Numbered { seq, event }));
        }
    }
    Ok((found, position))
}

/// A tenant's events of these numbers, by number: those that are still kept.
pub async fn numbered(tx: &mut Tx, tenant: TenantId, seqs: &[i64]) -> Result<Vec<Numbered>> {
    let seqs = batch::sorted(seqs.iter().copied());
    let mut found = Vec::with_capacity(seqs.len());
    for run in batch::runs(&seqs) {
        // The block that a number stands in is the last that begins at it or before it.
        let sql = batch::values(
            "SELECT first_seq, body FROM stream_block WHERE tenant = $1 AND first_seq IN
                (SELECT (SELECT first_seq FROM stream_block WHERE tenant = $1 AND first_seq <= v.column1
                    ORDER BY first_seq DESC LIMIT 1) FROM (VALUES",
            run.len(),
            1,
            2,
            ") AS v) ORDER BY first_seq",
        );
        let rows: Vec<BlockRow> = on_backend!(tx, |conn| {
            let mut query = sqlx::query_as(sql).bind(tenant.raw());
            for seq in run {
                query = query.bind(seq);
            }
            query.fetch_all(conn).await
        })?;
        for (first, body) in rows {
            let events = codec::events(tenant, &body).ok_or_else(|| corrupt(first, tenant))?;
            let asked = (first..).zip(events).filter(|(seq, _)| run.contains(seq));
            found.extend(asked.filter_map(|(seq, event)| Some(Numbered { seq, event: event? })));
        }
    }
    Ok(found)
}

fn corrupt(first: i64, tenant: TenantId) -> StorageError {
    StorageError::Corrupt(format!("stream block at {first} of {tenant}"))
}

/// Did anything happen?
#[derive(Debug, Clone, Copy)]
pub struct News {
    /// There are events without numbers.
    pub waits: bool,
    /// The newest block, of any tenant, if it is a new one.
    pub newest: Option<i64>,
}

/// What happened after this block. One statement, because an idle node asks it ten times a second.
pub async fn news_all_tenants(tx: &mut Tx, after: i64) -> Result<News> {
    const SQL: &str = "SELECT (SELECT id FROM stream_batch ORDER BY id LIMIT 1),
        (SELECT id FROM stream_block WHERE id > $1 ORDER BY id DESC LIMIT 1)";
    let (first_waiting, newest): (Option<i64>, Option<i64>) = on_backend!(tx, |conn| {
        sqlx::query_as(SQL).bind(after).fetch_one(conn).await
    })?;
    let waits = first_waiting.is_some();
    Ok(News { waits, newest })
}
