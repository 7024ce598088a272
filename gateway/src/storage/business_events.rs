//! Business events as their senders know them: each is handled once.

use super::{Db, Result, Tx, execute, forget, on_backend};
use crate::domain::{ConversationId, EventId, TenantId, Timestamp};

/// Where an event went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub event: EventId,
    pub conversation: ConversationId,
}

/// Notes that an event is known from now on. `false`: it was known, and nothing is written.
pub async fn note(
    tx: &mut Tx,
    tenant: TenantId,
    item: &str,
    told: Told,
    now: Timestamp,
) -> Result<bool> {
    const SQL: &str = "INSERT INTO business_event (tenant, item, event, conversation, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, item) DO NOTHING";
    let noted = execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(item)
            .bind(told.event.raw())
            .bind(told.conversation.raw())
            .bind(now.millis())
    )?;
    Ok(noted == 1)
}

/// An event that was told before.
pub async fn known(tx: &mut Tx, tenant: TenantId, item: &str) -> Result<Option<Told>> {
    const SQL: &str =
        "SELECT event, conversation FROM business_event WHERE tenant = $1 AND item = $2";
    let row: Option<(i64, i64)> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(tenant.raw())
        .bind(item)
        .fetch_optional(conn)
        .await)?;
    Ok(row.map(|(event, conversation)| Told {
        event: EventId::from_raw(event),
        conversation: ConversationId::from_raw(conversation),
    }))
}

/// Forgets what was told before this: the same id is another event then.
pub async fn forget_all_tenants(db: &Db, before: Timestamp) -> Result<u64> {
    const SQL: &str = "DELETE FROM business_event WHERE (tenant, item) IN
        (SELECT tenant, item FROM business_event WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
    forget::in_steps_all_tenants(db, SQL, before.millis()).await
}
