//! Conversations as people work with them: changed at the desk, listed, due.

use super::super::{Result, Tx, batch, execute, fetch_list, on_backend};
use super::{Conversation, load_all_tenants};
use crate::domain::{Bucket, ContactId, ConversationId, NumberId, TenantId, Timestamp};

/// Writes what people did to a conversation beside its owner. The row must be locked; its version moves, so a turn that
/// began before commits nothing.
pub async fn store_desk(tx: &mut Tx, tenant: TenantId, row: &Conversation) -> Result<()> {
    let attributes = serde_json::to_string(&row.attributes).expect("a map of texts is JSON");
    execute!(
        tx,
        sqlx::query(
            "UPDATE conversation SET version = version + 1, closed_at = $3, attributes = $4, human_replied_at = $5,
                snoozed_until = $6, hand_back_at = $7, last_entry = $8 WHERE id = $1 AND tenant = $2",
        )
        .bind(row.id.raw())
        .bind(tenant.raw())
        .bind(row.closed_at.map_or(0, Timestamp::millis))
        .bind(&attributes)
        .bind(row.human_replied_at.map_or(0, Timestamp::millis))
        .bind(row.snoozed_until.map_or(0, Timestamp::millis))
        .bind(row.hand_back_at.map_or(0, Timestamp::millis))
        .bind(row.last_entry)
    )?;
    Ok(())
}

/// Whose conversations are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnedBy {
    #[default]
    Anybody,
    /// A queue, an agent or an outside client.
    People,
    /// This kind of owner, as the database counts.
    Code(i64),
}

/// Which conversations are asked for; what is empty does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub owner: OwnedBy,
    pub owner_name: String,
    pub number: Option<NumberId>,
    pub contact: Option<ContactId>,
    /// `open`, `closed`, `snoozed`.
    pub state: String,
}

/// A tenant's conversations before this one, the youngest first.
pub async fn page(
    tx: &mut Tx,
    tenant: TenantId,
    filter: &Filter,
    before: i64,
    limit: i64,
) -> Result<Vec<Conversation>> {
    // The predicate of the index of those that people have, word for word.
    let people = match filter.owner {
        OwnedBy::Anybody | OwnedBy::Code(0) => "",
        _ => "AND owner <> 0",
    };
    let state = match filter.state.as_str() {
        "open" => "AND closed_at = 0",
        "closed" => "AND closed_at > 0",
        "snoozed" => "AND snoozed_until > 0",
        _ => "",
    };
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT id FROM conversation WHERE tenant = $1 AND id < $2 {people} {state}
            AND ($3 < 0 OR owner = $3) AND ($4 = '' OR owner_name = $4)
            AND ($5 = 0 OR number = $5) AND ($6 = 0 OR contact = $6) ORDER BY id DESC LIMIT $7"
    ));
    let code = match filter.owner {
        OwnedBy::Code(code) => code,
        _ => -1,
    };
    let ids: Vec<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(sql)
            .bind(tenant.raw())
            .bind(before)
            .bind(code)
            .bind(&filter.owner_name)
            .bind(filter.number.map_or(0, NumberId::raw))
            .bind(filter.contact.map_or(0, ContactId::raw))
            .bind(limit)
            .fetch_all(conn)
            .await
    })?;
    let ids: Vec<ConversationId> = ids.into_iter().map(ConversationId::from_raw).collect();
    let mut rows = load_all_tenants(tx, &ids).await?;
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
    Ok(rows)
}

/// Conversations of these buckets whose snooze is over, or that go back to the bot now: a few at a time.
pub async fn due_all_tenants(
    tx: &mut Tx,
    buckets: &[Bucket],
    now: Timestamp,
) -> Result<Vec<(TenantId, ConversationId)>> {
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let buckets = batch::padded(&buckets.iter().map(|b| b.raw()).collect::<Vec<_>>());
    let mut due = Vec::new();
    for column in ["snoozed_until", "hand_back_at"] {
        let head = format!(
            "SELECT tenant, id FROM conversation WHERE {column} > 0 AND {column} <= $1 AND bucket IN"
        );
        let tail = format!("ORDER BY {column} LIMIT 100");
        let sql = batch::any_of(&head, 2, &tail);
        let rows: Vec<(i64, i64)> = fetch_list!(tx, sql, [now.millis()], &buckets)?;
        due.extend(
            rows.into_iter()
                .map(|(tenant, id)| (TenantId::from_raw(tenant), ConversationId::from_raw(id))),
        );
    }
    Ok(due)
}
