//! Sends that wait for an hour: out of everybody's way until they are due, then queued again.

use super::super::{Result, Tx, batch, execute_rows, fetch_list, on_backend};
use super::{COLUMNS, OutboxRow, Row, limit_of, row};
use crate::domain::{Bucket, ConversationId, NumberId, OutboxId, TenantId, Timestamp};

/// What is due in these buckets, what was due first before the rest, without the numbers in `skip`.
pub async fn due_all_tenants(
    tx: &mut Tx,
    buckets: &[Bucket],
    skip: &[NumberId],
    now: Timestamp,
    limit: usize,
) -> Result<Vec<OutboxRow>> {
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let buckets = batch::padded(&buckets.iter().map(|b| b.raw()).collect::<Vec<_>>());
    // No number is 0, so an empty list skips nobody.
    let skip = match skip {
        [] => vec![0],
        skip => batch::padded(&skip.iter().map(|n| n.raw()).collect::<Vec<_>>()),
    };
    let skipped = batch::list("AND number NOT IN", skip.len(), buckets.len() + 3, "");
    let head = format!("{COLUMNS} WHERE state = 7 AND due_at <= $1 AND bucket IN");
    let tail = format!("{} ORDER BY due_at, id LIMIT $2", skipped.0);
    let sql = batch::list(&head, buckets.len(), 3, &tail);
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        let mut query = sqlx::query_as(sql).bind(now.millis()).bind(limit_of(limit));
        for value in buckets.iter().chain(&skip) {
            query = query.bind(value);
        }
        query.fetch_all(conn).await
    })?;
    rows.into_iter().map(row).collect()
}

/// Of these conversations, the first send that is due and waits still: nothing younger of its kind goes before it.
pub async fn first_due_all_tenants(
    tx: &mut Tx,
    conversations: &[ConversationId],
    now: Timestamp,
) -> Result<Vec<(ConversationId, OutboxId)>> {
    let ids = batch::sorted(conversations.iter().map(|id| id.raw()));
    let mut found = Vec::new();
    for run in batch::runs(&ids) {
        let head = "SELECT conversation, MIN(id) FROM outbox WHERE state = 7 AND due_at <= $1 AND conversation IN";
        let sql = batch::list(head, run.len(), 2, "GROUP BY conversation");
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
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let buckets = batch::padded(&batch::sorted(buckets.iter().map(|b| b.raw())));
    let head = format!("{COLUMNS} WHERE state = 7 AND tenant = $1 AND id < $2 AND bucket IN");
    let sql = batch::list(&head, buckets.len(), 4, "ORDER BY id DESC LIMIT $3");
    let rows: Vec<Row> = fetch_list!(tx, sql, [tenant.raw(), before, limit], &buckets)?;
    rows.into_iter().map(row).collect()
}

/// Queues these again, those that still wait.
pub async fn wake_all_tenants(tx: &mut Tx, ids: &[OutboxId]) -> Result<()> {
    let ids = batch::sorted(ids.iter().map(|id| id.raw()));
    for run in batch::runs(&ids) {
        let head = "UPDATE outbox SET state = 0 WHERE state = 7 AND id IN";
        let sql = batch::list(head, run.len(), 1, "");
        execute_rows!(tx, sql, run, |query, id| query.bind(id))?;
    }
    Ok(())
}
