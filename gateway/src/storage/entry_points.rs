//! What a conversation's row says of where it came from, what that makes of the price, and who had it last at Meta.
//!
//! Everything here only moves forward by Meta's time, so that a doubled or reordered webhook changes nothing.

use super::{Result, Tx, execute, on_backend};
use crate::domain::{ConversationId, TenantId, Timestamp};

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
