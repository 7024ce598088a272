//! What delivery asks the database beside claims and records: what is to be done, and what became of doubts.

use std::collections::HashMap;

use crate::domain::{Bucket, NumberId, OutboxId, OutboxState};
use crate::outbox::{DoubtEnd, after_doubt};
use crate::ownership::OwnedBuckets;
use crate::storage::buckets::{Lease, fence};
use crate::storage::outbox::{
    Move, OutboxRow, deferred, doubt_claimed_all_tenants, move_all_tenants,
    still_unknown_all_tenants, todo_all_tenants, todo_of_number,
};
use crate::storage::{Result, StorageError};

use super::queue::{Refill, most_woken};
use super::world::World;

/// Rows of one page. A guess: large enough that a page's cost is its rows.
pub(super) const PAGE: usize = 1000;

/// Takes over buckets: what was claimed in them may have been sent by whoever is gone.
pub(super) async fn take_over(world: &World, leases: &[Lease]) -> Result<u64> {
    let buckets: Vec<Bucket> = leases.iter().map(|lease| lease.bucket).collect();
    let mut tx = world.db.begin().await?;
    fence(&mut tx, leases).await?;
    let doubts = doubt_claimed_all_tenants(&mut tx, &buckets, world.clock.now()).await?;
    tx.commit().await?;
    Ok(doubts)
}

/// A page of what is to be done.
pub(super) async fn page(
    world: &World,
    buckets: &[Bucket],
    skip: &[NumberId],
    after: OutboxId,
) -> Result<Vec<OutboxRow>> {
    let mut tx = world.db.glance().await?;
    todo_all_tenants(&mut tx, buckets, skip, after, PAGE).await
}

/// What is to be done for one number, from its oldest row on.
pub(super) async fn number(world: &World, refill: Refill) -> Result<Vec<OutboxRow>> {
    let mut tx = world.db.glance().await?;
    todo_of_number(
        &mut tx,
        refill.tenant,
        refill.number,
        OutboxId::from_raw(0),
        refill.limit,
    )
    .await
}

/// Which of these doubts no receipt has settled.
pub(super) async fn still_unknown(world: &World, ids: &[OutboxId]) -> Result<Vec<OutboxId>> {
    let mut tx = world.db.glance().await?;
    still_unknown_all_tenants(&mut tx, ids).await
}

/// Rows read for one look at what is due. A guess: a number's two seconds are 160 of them.
const DUE: usize = 500;
/// Looks in one go: each passes by the numbers that the ones before have filled.
const LOOKS: usize = 64;

/// Queues again what has waited for its hour, as far as its numbers have room, what was due first before the rest.
pub(super) async fn wake(
    world: &World,
    owned: &OwnedBuckets,
    mut rooms: HashMap<NumberId, usize>,
) -> Result<Vec<OutboxRow>> {
    let now = world.clock.now();
    let buckets = owned.buckets();
    let mut woken: Vec<OutboxRow> = Vec::new();
    for _ in 0..LOOKS {
        let full: Vec<NumberId> = rooms
            .iter()
            .filter(|(_, room)| **room == 0)
            .map(|(id, _)| *id)
            .collect();
        let mut tx = world.db.glance().await?;
        let due = deferred::due_all_tenants(&mut tx, &buckets, &full, now, DUE).await?;
        drop(tx);
        let more = due.len() == DUE;
        let rows: Vec<OutboxRow> = due
            .into_iter()
            .filter(|row| takes_room(world, &mut rooms, row))
            .collect();
        queue_again(world, owned, &rows).await?;
        let none = rows.is_empty();
        // It stands in line from now on: by its old time it would go before every answer that came since.
        woken.extend(rows.into_iter().map(|row| OutboxRow {
            state: OutboxState::Queued,
            due_at: now,
            ..row
        }));
        if !more || none {
            break;
        }
    }
    Ok(woken)
}

fn takes_room(world: &World, rooms: &mut HashMap<NumberId, usize>, row: &OutboxRow) -> bool {
    let number = row.draft.number;
    let room = rooms.entry(number).or_insert_with(|| {
        let known = world.directory.number(number);
        let two_seconds = known.map_or(1, |one| one.throughput.saturating_mul(2));
        most_woken(
            usize::try_from(two_seconds).unwrap_or(1),
            world.config.queue_per_number,
        )
    });
    let fits = *room > 0;
    *room = room.saturating_sub(1);
    fits
}

async fn queue_again(world: &World, owned: &OwnedBuckets, rows: &[OutboxRow]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let leases = owned
        .leases_of(rows.iter().map(|row| row.bucket))
        .ok_or(StorageError::Fenced(-1))?;
    let ids: Vec<OutboxId> = rows.iter().map(|row| row.draft.id).collect();
    let mut tx = world.db.begin().await?;
    fence(&mut tx, &leases).await?;
    deferred::wake_all_tenants(&mut tx, &ids).await?;
    tx.commit().await
}

/// A doubt whose grace is over, decided by rule. `end` is `None` when a receipt was faster.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) row: OutboxRow,
    pub(super) end: Option<DoubtEnd>,
}

/// Ends doubts by rule.
pub(super) async fn settle(
    world: &World,
    owned: &OwnedBuckets,
    rows: Vec<OutboxRow>,
) -> Result<Vec<Settled>> {
    let leases = owned
        .leases_of(rows.iter().map(|row| row.bucket))
        .ok_or(StorageError::Fenced(-1))?;
    let now = world.clock.now();
    let ends: Vec<(Move, DoubtEnd)> = rows.iter().map(|row| after_doubt(row, now)).collect();
    let moves: Vec<Move> = ends.iter().map(|(change, _)| change.clone()).collect();
    let mut tx = world.db.begin().await?;
    fence(&mut tx, &leases).await?;
    let moved = move_all_tenants(&mut tx, &moves, now).await?;
    tx.commit().await?;
    let settled = rows.into_iter().zip(ends).map(|(mut row, (change, end))| {
        let end = moved.contains(&row.draft.id).then_some(end);
        row.state = change.to;
        row.due_at = change.due_at;
        row.reason = change.reason;
        Settled { row, end }
    });
    Ok(settled.collect())
}
