//! The journal of turns: what went in and what came out, enough to replay it.

use super::journals::{self, Window};
use super::{Result, StorageError, Tx, batch, execute_rows, on_backend};
use crate::domain::{
    ConversationId, EventId, InboundContent, NumberId, TenantId, Timestamp, TurnId,
};

/// One turn, as it is kept.
#[derive(Debug, Clone)]
pub struct TurnRow {
    pub id: TurnId,
    pub tenant: TenantId,
    pub number: NumberId,
    pub conversation: ConversationId,
    pub event: EventId,
    /// Stable word: `replied`, `silent`, `fallback`, `opt_out`, `human_requested`, `handed_over`, `not_bots`.
    pub outcome: &'static str,
    /// JSON.
    pub journal: String,
    pub at: Timestamp,
}

/// Appends to the journal.
pub async fn append_all_tenants(tx: &mut Tx, rows: &[&TurnRow]) -> Result<()> {
    for run in batch::groups(tx, rows) {
        let sql = batch::rows(
            "INSERT INTO turn (id, tenant, number, conversation, event, outcome, journal, at) VALUES",
            8,
            "",
        );
        execute_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.id.raw())
                .bind(row.tenant.raw())
                .bind(row.number.raw())
                .bind(row.conversation.raw())
                .bind(row.event.raw())
                .bind(row.outcome)
                .bind(&row.journal)
                .bind(row.at.millis())
        })?;
    }
    Ok(())
}

/// A journal with its turn.
#[derive(Debug, Clone)]
pub struct JournalRow {
    pub id: TurnId,
    pub at: Timestamp,
    /// JSON.
    pub journal: String,
}

/// A tenant's journals out of the window after this turn, oldest first.
pub async fn journals_after(
    tx: &mut Tx,
    tenant: TenantId,
    turn: TurnId,
    most: i64,
) -> Result<Window<JournalRow>> {
    const SQL: &str = "SELECT id, at, journal FROM turn WHERE tenant = $1 AND id > $2 AND id <= $3
        ORDER BY id LIMIT $4";
    let stretch = journals::stretch(tx, tenant, turn, None).await?;
    let rows: Vec<(i64, i64, String)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(stretch.after)
            .bind(stretch.last)
            .bind(most)
            .fetch_all(conn)
            .await
    })?;
    let read = |(id, at, journal)| JournalRow {
        id: TurnId::from_raw(id),
        at: Timestamp::from_millis(at),
        journal,
    };
    let rows = rows.into_iter().map(read).collect();
    Ok(stretch.window(rows, most, |row: &JournalRow| row.id))
}

/// A turn as people are told of it: its message beside what became of it. Turns of occasions are none of these.
#[derive(Debug, Clone)]
pub struct Told {
    pub turn: TurnId,
    pub tenant: TenantId,
    pub number: NumberId,
    pub conversation: ConversationId,
    /// Personal data: it contains the phone number.
    pub wamid: String,
    /// Which message of the conversation it was.
    pub seq: i64,
    pub content: InboundContent,
    /// The customer's phone number, empty when it is not known.
    pub phone: String,
    pub outcome: String,
    pub journal: String,
}

type ToldRow = (i64, i64, i64, String, i64, String, String, String, String);

/// A tenant's turns after this one, oldest first, a few at a time: for those who watch.
pub async fn after(tx: &mut Tx, tenant: TenantId, turn: TurnId) -> Result<Vec<Told>> {
    const SQL: &str = "SELECT t.id, t.number, t.conversation, e.wamid, e.seq, e.content, c.phone, t.outcome, t.journal
        FROM turn t JOIN inbound_event e ON e.id = t.event JOIN contact c ON c.id = e.contact
        WHERE t.tenant = $1 AND t.id > $2 AND e.kind = 1 ORDER BY t.id LIMIT 100";
    let rows: Vec<ToldRow> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(turn.raw())
            .fetch_all(conn)
            .await
    })?;
    rows.into_iter().map(|row| told(tenant, row)).collect()
}

fn told(
    tenant: TenantId,
    (turn, number, conversation, wamid, seq, content, phone, outcome, journal): ToldRow,
) -> Result<Told> {
    Ok(Told {
        turn: TurnId::from_raw(turn),
        tenant,
        number: NumberId::from_raw(number),
        conversation: ConversationId::from_raw(conversation),
        wamid,
        seq,
        content: serde_json::from_str(&content)
            .map_err(|error| StorageError::Corrupt(format!("an event's content: {error}")))?,
        phone,
        outcome,
        journal,
    })
}
