//! What a go-live checklist asks of the tables that grow with traffic: whether something happened lately. They have no
//! index for it, so the newest rows are looked through, a bounded number of them: what is older is not found.

use super::{Result, Tx, on_backend};
use crate::domain::{ConversationId, EventId, NumberId, OutboxId, TenantId, Timestamp};

/// Rows that are looked through: some hundredths of a second. A guess.
const NEWEST: i64 = 100_000;

/// Something that a person wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken {
    pub event: EventId,
    pub conversation: ConversationId,
    /// Meta's time.
    pub at: Timestamp,
}

/// The latest thing that Meta told of a number.
pub async fn last_of_number(
    tx: &mut Tx,
    tenant: TenantId,
    number: NumberId,
) -> Result<Option<EventId>> {
    const SQL: &str = "SELECT id FROM (SELECT id, tenant, number, raw FROM inbound_event ORDER BY id DESC LIMIT $3) AS newest
        WHERE tenant = $1 AND number = $2 AND raw <> 0 ORDER BY id DESC LIMIT 1";
    let id: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(tenant.raw())
            .bind(number.raw())
            .bind(NEWEST)
            .fetch_optional(conn)
            .await
    })?;
    Ok(id.map(EventId::from_raw))
}

/// The latest messages with such a word ([`word`](super::events::word)), the newest first.
pub async fn last_words(
    tx: &mut Tx,
    tenant: TenantId,
    word: i64,
    most: i64,
) -> Result<Vec<Spoken>> {
    const SQL: &str = "SELECT id, conversation, at
        FROM (SELECT id, tenant, conversation, at, word FROM inbound_event ORDER BY id DESC LIMIT $4) AS newest
        WHERE tenant = $1 AND word = $2 ORDER BY id DESC LIMIT $3";
    let rows: Vec<(i64, i64, i64)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(word)
            .bind(most)
            .bind(NEWEST)
            .fetch_all(conn)
            .await
    })?;
    let spoken = |(event, conversation, at)| Spoken {
        event: EventId::from_raw(event),
        conversation: ConversationId::from_raw(conversation),
        at: Timestamp::from_millis(at),
    };
    Ok(rows.into_iter().map(spoken).collect())
}

/// The latest message that another app of the business sent, or the WhatsApp Business app: an echo.
pub async fn last_echo(tx: &mut Tx, tenant: TenantId) -> Result<Option<EventId>> {
    const SQL: &str =
        "SELECT id FROM (SELECT id, tenant, kind, content FROM inbound_event ORDER BY id DESC LIMIT $2) AS newest
        WHERE tenant = $1 AND kind = 3 AND content LIKE '%\"source\":\"echo\"%' ORDER BY id DESC LIMIT 1";
    let id = newest(tx, tenant, SQL).await?;
    Ok(id.map(EventId::from_raw))
}

/// The latest send of a turn that reached the person's device.
pub async fn last_answer_delivered(tx: &mut Tx, tenant: TenantId) -> Result<Option<OutboxId>> {
    const SQL: &str =
        "SELECT id FROM (SELECT id, tenant, turn, receipt FROM outbox ORDER BY id DESC LIMIT $2) AS newest
        WHERE tenant = $1 AND turn <> 0 AND receipt BETWEEN 2 AND 4 ORDER BY id DESC LIMIT 1";
    let id = newest(tx, tenant, SQL).await?;
    Ok(id.map(OutboxId::from_raw))
}

/// `sql`: `$1` is the tenant, `$2` how many rows are looked through.
async fn newest(tx: &mut Tx, tenant: TenantId, sql: &'static str) -> Result<Option<i64>> {
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(sql)
            .bind(tenant.raw())
            .bind(NEWEST)
            .fetch_optional(conn)
            .await
    })?)
}
