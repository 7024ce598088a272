//! What a claim reads and writes beside the outbox row: the conversation's facts and its pair debt.
//!
//! Whoever locks several kinds of rows in one transaction takes them in this order: lease, consent, conversation,
//! outbox, and rows of one kind by id, so that no two transactions wait for each other.

use super::{Result, StorageError, Tx, batch, execute, execute_rows, fetch_list, rows::moment};
use crate::domain::{ConversationId, Owner, TenantId, Timestamp};

/// What bears on a send to one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationFacts {
    pub id: ConversationId,
    pub owner: Owner,
    pub owner_version: i64,
    pub last_inbound_at: Option<Timestamp>,
    pub closed_by_meta_at: Option<Timestamp>,
    /// Pair pacing: until when the person's share of Meta's patience is spent.
    pub pair_debt_at: Timestamp,
}

/// The facts of these conversations, unlocked: an owner who changes withdraws what is queued, and a claim of a row that
/// was withdrawn fails.
pub async fn conversation_facts_all_tenants(
    tx: &mut Tx,
    ids: &[ConversationId],
) -> Result<Vec<ConversationFacts>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = batch::padded(&ids.iter().map(|id| id.raw()).collect::<Vec<_>>());
    let head = "SELECT id, owner, owner_name, owner_version, last_inbound_at, closed_by_meta_at, pair_debt_at
        FROM conversation WHERE id IN";
    let sql = batch::list(head, ids.len(), 1, "");
    let rows: Vec<(i64, i64, String, i64, i64, i64, i64)> = fetch_list!(tx, sql, [0_i64; 0], &ids)?;
    rows.into_iter().map(facts).collect()
}

fn facts(row: (i64, i64, String, i64, i64, i64, i64)) -> Result<ConversationFacts> {
    let (id, owner, name, owner_version, inbound, closed, debt) = row;
    Ok(ConversationFacts {
        id: ConversationId::from_raw(id),
        owner: Owner::from_parts(owner, &name)
            .ok_or_else(|| StorageError::Corrupt(format!("owner of conversation {id}")))?,
        owner_version,
        last_inbound_at: moment(inbound),
        closed_by_meta_at: moment(closed),
        pair_debt_at: Timestamp::from_millis(debt),
    })
}

/// Writes pair debts, in the order of ids.
pub async fn set_pair_debts_all_tenants(
    tx: &mut Tx,
    debts: &[(ConversationId, Timestamp)],
) -> Result<()> {
    let mut debts = debts.to_vec();
    debts.sort_unstable();
    for run in batch::runs(&debts) {
        let sql = batch::values(
            "UPDATE conversation SET pair_debt_at = v.column2 FROM (VALUES",
            run.len(),
            2,
            1,
            ") AS v WHERE conversation.id = v.column1",
        );
        execute_rows!(tx, sql, run, |query, (id, debt)| {
            query.bind(id.raw()).bind(debt.millis())
        })?;
    }
    Ok(())
}

/// Meta said at `at` that the window is closed (131047): it stays so until the person writes again. An older word of
/// Meta's changes nothing.
pub async fn close_window(
    tx: &mut Tx,
    tenant: TenantId,
    conversation: ConversationId,
    at: Timestamp,
) -> Result<()> {
    let sql = "UPDATE conversation SET closed_by_meta_at = $3
        WHERE id = $1 AND tenant = $2 AND closed_by_meta_at < $3";
    execute!(
        tx,
        sqlx::query(sql)
            .bind(conversation.raw())
            .bind(tenant.raw())
            .bind(at.millis())
    )?;
    Ok(())
}
