//! The end of what the bot had queued, and of its timers, in conversations that somebody took over while webhooks were attached.

use super::{Result, Tx, batch, fetch_list, on_backend, outbox, timers};
use crate::domain::{Bucket, ConversationId, NumberId, OutboxId, Owner, TenantId, Timestamp};

/// Withdraws it. `others` are sends that the caller changes later in this transaction: they are locked here with those
/// that go, in one order of ids. What is claimed already is on its way and stays.
pub async fn withdraw_all_tenants(
    tx: &mut Tx,
    taken: &[(TenantId, NumberId, ConversationId, Owner)],
    others: &[OutboxId],
    now: Timestamp,
) -> Result<()> {
    let mut ids: Vec<i64> = others.iter().map(|id| id.raw()).collect();
    for (_, number, conversation, _) in taken {
        ids.extend(queued_in_all_tenants(tx, *number, *conversation).await?);
    }
    let tail = tx.pick("", "ORDER BY id FOR UPDATE");
    for run in batch::groups(tx, &batch::sorted(ids)) {
        let sql = batch::any_of("SELECT id FROM outbox WHERE id IN", 1, tail);
        let _locked: Vec<(i64,)> = fetch_list!(tx, sql, [0_i64; 0], run)?;
    }
    for (tenant, number, conversation, owner) in taken {
        outbox::cancel_bot(tx, *tenant, *number, *conversation, owner, now).await?;
    }
    let over: Vec<ConversationId> = taken.iter().map(|(_, _, id, _)| *id).collect();
    timers::end_of_all_tenants(tx, &over).await?;
    Ok(())
}

/// Unlocked, from the index of what is still to be done.
async fn queued_in_all_tenants(
    tx: &mut Tx,
    number: NumberId,
    conversation: ConversationId,
) -> Result<Vec<i64>> {
    const SQL: &str = "SELECT id FROM outbox
        WHERE state IN (0, 1, 3) AND state = 0 AND bucket = $1 AND conversation = $2
        UNION ALL SELECT id FROM outbox WHERE state = 7 AND conversation = $2";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(Bucket::of(number).raw())
            .bind(conversation.raw())
            .fetch_all(conn)
            .await
    })?)
}
