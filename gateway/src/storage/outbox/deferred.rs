//! Sends that wait for an hour: out of everybody's way until they are due, then queued again.

use super::super::{Result, Tx, batch, execute_list, fetch_list};
use super::lists::newest;
use super::{OutboxRow, of_buckets};
use crate::domain::{Bucket, ConversationId, NumberId, OutboxId, TenantId, Timestamp};

/// What is due in these buckets, what was due first before the rest, without the numbers in `skip`.
pub async fn due_all_tenants(
    tx: &mut Tx,
    buckets: &[Bucket],
    skip: &[NumberId],
    now: Timestamp,
    limit: usize,
) -> Result<Vec<OutboxRow>> {
    let which = ("state = 7 AND due_at <= $1", now.millis());
    of_buckets(tx, which, buckets, skip, "due_at, id", limit).await
}

/// Of these conversations, the first send that is due and waits still: nothing younger of its kind goes before it.
pub async fn first_due_all_tenants(
    tx: &mut Tx,
    conversations: &[ConversationId],
    now: Timestamp,
) -> Result<Vec<(ConversationId, OutboxId)>> {
    let ids = batch::sorted(conversations.iter().map(|id| id.raw()));
    let mut found = Vec::new();
    for run in batch::groups(tx, &ids) {
        let head = "SELECT conversation, MIN(id) FROM outbox WHERE state = 7 AND due_at <= $1 AND conversation IN";
        let sql = batch::any_of(head, 2, "GROUP BY conversation");
        let rows: Vec<(i64, i64)> = fetch_list!(tx, sql, [now.millis()], run)?;
        found.extend(
            rows.into_iter()
                .map(|(of, id)| (ConversationId::from_raw(of), OutboxId::from_raw(id))),
        );
    }
    Ok(found)
}

/// A tenant's sends that wait for an hour, before this one, the newest first. `buckets` are those of its numbers.
pub async fn deferred(
    tx: &mut Tx,
    tenant: TenantId,
    buckets: &[Bucket],
    before: i64,
    limit: i64,
) -> Result<Vec<OutboxRow>> {
    newest(tx, "state = 7", tenant, buckets, before, limit).await
}

/// Queues these again, those that still wait.
pub async fn wake_all_tenants(tx: &mut Tx, ids: &[OutboxId]) -> Result<()> {
    let ids = batch::sorted(ids.iter().map(|id| id.raw()));
    for run in batch::groups(tx, &ids) {
        let head = "UPDATE outbox SET state = 0 WHERE state = 7 AND id IN";
        let sql = batch::any_of(head, 1, "");
        execute_list!(tx, sql, [0_i64; 0], run)?;
    }
    Ok(())
}
