//! What a conversation's row says of where it came from, what that makes of the price, and who had it last at Meta.
//!
//! Everything here only moves forward by Meta's time, so that a doubled or reordered webhook changes nothing.

use std::collections::HashMap;

use super::{Result, Tx, batch, execute, fetch_list, on_backend, rows::moment};
use crate::domain::{ConversationId, TenantId, Timestamp};

/// Where a conversation came from, and until when it costs nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryPoint {
    /// JSON of the last ad or post; empty: none.
    pub referral: String,
    /// Meta's time of the message that told it.
    pub referral_at: Option<Timestamp>,
    pub free_until: Option<Timestamp>,
}

/// The entry points of a tenant's conversations.
pub async fn of_conversations(
    tx: &mut Tx,
    tenant: TenantId,
    conversations: &[ConversationId],
) -> Result<HashMap<ConversationId, EntryPoint>> {
    let ids = batch::sorted(conversations.iter().map(|id| id.raw()));
    let mut found = HashMap::new();
    for run in batch::groups(tx, &ids) {
        let head = "SELECT id, referral, referral_at, free_until FROM conversation WHERE tenant = $1 AND id IN";
        let sql = batch::any_of(head, 2, "");
        let rows: Vec<(i64, String, i64, i64)> = fetch_list!(tx, sql, [tenant.raw()], run)?;
        found.extend(rows.into_iter().map(|(id, referral, at, free)| {
            let point = EntryPoint {
                referral,
                referral_at: moment(at),
                free_until: moment(free),
            };
            (ConversationId::from_raw(id), point)
        }));
    }
    Ok(found)
}

/// The person came from an ad or post, by a message of `at`.
pub async fn set_referral(
    tx: &mut Tx,
    tenant: TenantId,
    conversation: ConversationId,
    referral: &str,
    at: Timestamp,
) -> Result<()> {
    let sql = "UPDATE conversation SET referral = $3, referral_at = $4
        WHERE id = $1 AND tenant = $2 AND referral_at < $4";
    execute!(
        tx,
        sqlx::query(sql)
            .bind(conversation.raw())
            .bind(tenant.raw())
            .bind(referral)
            .bind(at.millis())
    )?;
    Ok(())
}

/// Meta charges nothing in the conversation until then.
pub async fn extend_free(
    tx: &mut Tx,
    tenant: TenantId,
    conversation: ConversationId,
    until: Timestamp,
) -> Result<()> {
    let sql =
        "UPDATE conversation SET free_until = $3 WHERE id = $1 AND tenant = $2 AND free_until < $3";
    execute!(
        tx,
        sqlx::query(sql)
            .bind(conversation.raw())
            .bind(tenant.raw())
            .bind(until.millis())
    )?;
    Ok(())
}

/// Somebody took or gave the conversation at Meta's time `at`. `false`: a later one was obeyed already. Of two in the
/// same second, the one that comes later counts.
pub async fn move_handover(
    tx: &mut Tx,
    tenant: TenantId,
    conversation: ConversationId,
    at: Timestamp,
) -> Result<bool> {
    let sql = "UPDATE conversation SET handover_at = $3 WHERE id = $1 AND tenant = $2 AND handover_at <= $3";
    let touched = execute!(
        tx,
        sqlx::query(sql)
            .bind(conversation.raw())
            .bind(tenant.raw())
            .bind(at.millis())
    )?;
    Ok(touched == 1)
}

/// When the conversation's owner last changed, by our clock.
pub async fn owned_since(
    tx: &mut Tx,
    tenant: TenantId,
    conversation: ConversationId,
) -> Result<Option<Timestamp>> {
    let sql =
        "SELECT at FROM owner_log WHERE tenant = $1 AND conversation = $2 ORDER BY id DESC LIMIT 1";
    let at: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(sql)
            .bind(tenant.raw())
            .bind(conversation.raw())
            .fetch_optional(conn)
            .await
    })?;
    Ok(at.map(Timestamp::from_millis))
}
