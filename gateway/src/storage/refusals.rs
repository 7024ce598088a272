//! Messages of people and clients that policy refused: why, for whoever asks later. What turns wanted to say and were
//! refused stands in their journals.

use sqlx::FromRow;

use super::{Result, StorageError, Tx, execute, on_backend, rows};
use crate::domain::{ContactId, ConversationId, NumberId, OutboxId, TenantId};
use crate::policy::Ruling;

/// A message that was never sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Also says when it was refused.
    pub id: OutboxId,
    pub number: NumberId,
    pub conversation: ConversationId,
    pub contact: ContactId,
    pub ruling: Ruling,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    number: i64,
    conversation: i64,
    contact: i64,
    ruling: String,
}

/// Most rows of one conversation: a client that tries again and again fills nothing. A guess: more than anybody reads.
const KEPT: i64 = 100;

/// Keeps one, and lets go of the conversation's oldest beyond [`KEPT`].
pub async fn keep(tx: &mut Tx, tenant: TenantId, refused: &Refused) -> Result<()> {
    const ADD: &str = "INSERT INTO refusal (id, tenant, number, conversation, contact, ruling)
        VALUES ($1, $2, $3, $4, $5, $6)";
    const BOUND: &str = "DELETE FROM refusal WHERE tenant = $1 AND conversation = $2 AND id <=
        (SELECT id FROM refusal WHERE conversation = $2 ORDER BY id DESC LIMIT 1 OFFSET $3)";
    let ruling = serde_json::to_string(&refused.ruling).expect("a ruling is JSON");
    execute!(
        tx,
        sqlx::query(ADD)
            .bind(refused.id.raw())
            .bind(tenant.raw())
            .bind(refused.number.raw())
            .bind(refused.conversation.raw())
            .bind(refused.contact.raw())
            .bind(ruling)
    )?;
    execute!(
        tx,
        sqlx::query(BOUND)
            .bind(tenant.raw())
            .bind(refused.conversation.raw())
            .bind(KEPT)
    )?;
    Ok(())
}

/// One of them.
pub async fn find(tx: &mut Tx, tenant: TenantId, id: OutboxId) -> Result<Option<Refused>> {
    const SQL: &str = "SELECT id, number, conversation, contact, ruling FROM refusal
        WHERE tenant = $1 AND id = $2";
    let row: Option<Row> = rows::one(tx, tenant, SQL, id.raw()).await?;
    row.map(refused).transpose()
}

/// Those of a conversation from an id on, the newest first.
pub async fn of_conversation(
    tx: &mut Tx,
    tenant: TenantId,
    conversation: ConversationId,
    from: i64,
    most: i64,
) -> Result<Vec<Refused>> {
    const SQL: &str = "SELECT id, number, conversation, contact, ruling FROM refusal
        WHERE tenant = $1 AND conversation = $2 AND id >= $3 ORDER BY id DESC LIMIT $4";
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(conversation.raw())
            .bind(from)
            .bind(most)
            .fetch_all(conn)
            .await
    })?;
    rows.into_iter().map(refused).collect()
}

fn refused(row: Row) -> Result<Refused> {
    let id = OutboxId::from_raw(row.id);
    Ok(Refused {
        id,
        number: NumberId::from_raw(row.number),
        conversation: ConversationId::from_raw(row.conversation),
        contact: ContactId::from_raw(row.contact),
        ruling: serde_json::from_str(&row.ruling)
            .map_err(|_| StorageError::Corrupt(format!("the ruling of {id}")))?,
    })
}
