//! The journal of turns: what went in and what came out, enough to replay it.

use super::{Result, Tx, batch, execute_rows, on_backend};
use crate::domain::{ConversationId, EventId, NumberId, TenantId, Timestamp, TurnId};

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
    for run in batch::runs(rows) {
        let sql = batch::values(
            "INSERT INTO turn (id, tenant, number, conversation, event, outcome, journal, at) VALUES",
            run.len(),
            8,
            1,
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

/// One turn's outcome and journal.
pub async fn journal(
    tx: &mut Tx,
    tenant: TenantId,
    turn: TurnId,
) -> Result<Option<(String, String)>> {
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as("SELECT outcome, journal FROM turn WHERE tenant = $1 AND id = $2")
            .bind(tenant.raw())
            .bind(turn.raw())
            .fetch_optional(conn)
            .await
    })?)
}
