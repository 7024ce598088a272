//! What a claim reads and writes beside the outbox row: the conversation's facts and its pair debt.
//!
//! Whoever locks several kinds of rows in one transaction takes them in this order: lease, consent, conversation,
//! outbox, and rows of one kind by id, so that no two transactions wait for each other.

use super::{Result, StorageError, Tx, batch, execute, execute_rows, fetch_list, rows::moment};
use crate::domain::{ContactId, ConversationId, Owner, Recipient, TenantId, Timestamp};
use sqlx::FromRow;

/// What bears on a send to one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationFacts {
    pub id: ConversationId,
    pub contact: ContactId,
    pub owner: Owner,
    pub owner_version: i64,
    pub last_inbound_at: Option<Timestamp>,
    pub closed_by_meta_at: Option<Timestamp>,
    /// Since when the business has the person on the number's block list.
    pub blocked_at: Option<Timestamp>,
    /// Pair pacing: until when the person's share of Meta's patience is spent.
    pub pair_debt_at: Timestamp,
    /// JSON object: the contact's.
    pub contact_attributes: String,
    /// What the contact's row shows; empty when unknown.
    phone: String,
    bsuid: String,
    parent_bsuid: String,
}

impl ConversationFacts {
    /// Does the contact's row show this? It shows one BSUID of several.
    pub fn is_reached_by(&self, recipient: &Recipient) -> bool {
        match recipient {
            Recipient::Phone(phone) => phone.digits() == self.phone,
            Recipient::Bsuid(id) => [&self.bsuid, &self.parent_bsuid]
                .into_iter()
                .any(|own| own == id.as_str()),
        }
    }
}

#[derive(FromRow)]
struct Row {
    id: i64,
    contact: i64,
    owner: i64,
    owner_name: String,
    owner_version: i64,
    last_inbound_at: i64,
    closed_by_meta_at: i64,
    blocked_at: i64,
    pair_debt_at: i64,
    attributes: String,
    phone: String,
    bsuid: String,
    parent_bsuid: String,
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
    let head = "SELECT c.id, c.contact, c.owner, c.owner_name, c.owner_version, c.last_inbound_at, c.closed_by_meta_at,
            c.blocked_at, c.pair_debt_at, p.attributes, p.phone, p.bsuid, p.parent_bsuid
        FROM conversation c JOIN contact p ON p.id = c.contact WHERE c.id IN";
    let sql = batch::any_of(head, 1, "");
    let rows: Vec<Row> = fetch_list!(tx, sql, [0_i64; 0], &ids)?;
    rows.into_iter().map(facts).collect()
}

fn facts(row: Row) -> Result<ConversationFacts> {
    Ok(ConversationFacts {
        id: ConversationId::from_raw(row.id),
        contact: ContactId::from_raw(row.contact),
        owner: Owner::from_parts(row.owner, &row.owner_name)
            .ok_or_else(|| StorageError::Corrupt(format!("owner of conversation {}", row.id)))?,
        owner_version: row.owner_version,
        last_inbound_at: moment(row.last_inbound_at),
        closed_by_meta_at: moment(row.closed_by_meta_at),
        blocked_at: moment(row.blocked_at),
        pair_debt_at: Timestamp::from_millis(row.pair_debt_at),
        contact_attributes: row.attributes,
        phone: row.phone,
        bsuid: row.bsuid,
        parent_bsuid: row.parent_bsuid,
    })
}

/// Writes pair debts, in the order of ids.
pub async fn set_pair_debts_all_tenants(
    tx: &mut Tx,
    debts: &[(ConversationId, Timestamp)],
) -> Result<()> {
    let mut debts = debts.to_vec();
    debts.sort_unstable();
    for run in batch::groups(tx, &debts) {
        let sql = batch::rows(
            "UPDATE conversation SET pair_debt_at = v.column2 FROM (VALUES",
            2,
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
