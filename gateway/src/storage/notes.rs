//! Notes for the people who work with a conversation. Customers never see them.

use sqlx::FromRow;

use super::{Result, Tx, batch, execute_rows, fetch_list, on_backend};
use crate::domain::{ConversationId, StreamEvent, StreamKind, TenantId, id};

/// A note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Also says when it was made.
    pub id: i64,
    pub tenant: TenantId,
    pub conversation: ConversationId,
    /// A plugin with its version.
    pub author: String,
    pub body: String,
}

/// Keeps notes, and tells followers that there are any.
pub async fn append_all_tenants(tx: &mut Tx, notes: &[Note]) -> Result<()> {
    for run in batch::groups(tx, notes) {
        let sql = batch::rows(
            "INSERT INTO conversation_note (id, tenant, conversation, author, body) VALUES",
            5,
            "",
        );
        execute_rows!(tx, sql, run, |query, note| {
            query
                .bind(note.id)
                .bind(note.tenant.raw())
                .bind(note.conversation.raw())
                .bind(&note.author)
                .bind(&note.body)
        })?;
    }
    for note in notes {
        let (kind, at) = (StreamKind::ConversationNoted, id::made_at(note.id));
        let event = StreamEvent::new(note.tenant, note.conversation, kind, at);
        tx.tell(event.about(note.id).noting(&note.author));
    }
    Ok(())
}

#[derive(FromRow)]
struct Row {
    id: i64,
    conversation: i64,
    author: String,
    body: String,
}

impl Row {
    fn of(self, tenant: TenantId) -> Note {
        Note {
            id: self.id,
            tenant,
            conversation: ConversationId::from_raw(self.conversation),
            author: self.author,
            body: self.body,
        }
    }
}

/// A tenant's notes by their ids.
pub async fn by_ids(tx: &mut Tx, tenant: TenantId, ids: &[i64]) -> Result<Vec<Note>> {
    let ids = batch::sorted(ids.iter().copied());
    let mut found = Vec::with_capacity(ids.len());
    for run in batch::groups(tx, &ids) {
        let head = "SELECT id, conversation, author, body FROM conversation_note WHERE tenant = $1 AND id IN";
        let sql = batch::any_of(head, 2, "");
        let rows: Vec<Row> = fetch_list!(tx, sql, [tenant.raw()], run)?;
        found.extend(rows.into_iter().map(|row| row.of(tenant)));
    }
    Ok(found)
}

/// A conversation's notes before this one, the youngest first.
pub async fn of_conversation(
    tx: &mut Tx,
    tenant: TenantId,
    conversation: ConversationId,
    before: i64,
    most: i64,
) -> Result<Vec<Note>> {
    const SQL: &str = "SELECT id, conversation, author, body FROM conversation_note
        WHERE tenant = $1 AND conversation = $2 AND id < $3 ORDER BY id DESC LIMIT $4";
    let rows: Vec<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(tenant.raw())
        .bind(conversation.raw())
        .bind(before)
        .bind(most)
        .fetch_all(conn)
        .await)?;
    Ok(rows.into_iter().map(|row| row.of(tenant)).collect())
}
