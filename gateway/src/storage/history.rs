//! A conversation's history: its entries (inbound events, sends, changes of owner) walked backwards along their chain, and read by id.

use sqlx::FromRow;

use super::{Result, Tx, batch, fetch_list, on_backend};
use crate::domain::{ContactId, ConversationId, EventId, NumberId, RawId, TenantId, Timestamp};

/// An inbound event as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundEntry {
    pub id: EventId,
    pub number: NumberId,
    pub conversation: ConversationId,
    pub contact: ContactId,
    pub seq: i64,
    /// One of [`EventKind`](super::events::EventKind).
    pub kind: i64,
    pub raw: RawId,
    /// Which item of that body it is.
    pub ordinal: i64,
    /// Meta's time.
    pub at: Timestamp,
    pub wamid: String,
    /// Typed content, JSON.
    pub content: String,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    number: i64,
    conversation: i64,
    contact: i64,
    seq: i64,
    kind: i64,
    raw: i64,
    ordinal: i64,
    at: i64,
    wamid: String,
    content: String,
}

/// Events of a tenant, for those ids that are events of it and still there.
pub async fn inbound(tx: &mut Tx, tenant: TenantId, ids: &[i64]) -> Result<Vec<InboundEntry>> {
    let ids = batch::sorted(ids.iter().copied());
    let mut found = Vec::with_capacity(ids.len());
    for run in batch::groups(tx, &ids) {
        let head =
            "SELECT id, number, conversation, contact, seq, kind, raw, ordinal, at, wamid, content
            FROM inbound_event WHERE tenant = $1 AND id IN";
        let sql = batch::any_of(head, 2, "");
        let rows: Vec<Row> = fetch_list!(tx, sql, [tenant.raw()], run)?;
        found.extend(rows.into_iter().map(entry));
    }
    Ok(found)
}

fn entry(row: Row) -> InboundEntry {
    InboundEntry {
        id: EventId::from_raw(row.id),
        number: NumberId::from_raw(row.number),
        conversation: ConversationId::from_raw(row.conversation),
        contact: ContactId::from_raw(row.contact),
        seq: row.seq,
        kind: row.kind,
        raw: RawId::from_raw(row.raw),
        ordinal: row.ordinal,
        at: Timestamp::from_millis(row.at),
        wamid: row.wamid,
        content: row.content,
    }
}

/// What was said to a tenant beside conversations, before an id, the newest first: of accounts, groups, and whatever is
/// kept raw. Tenant 0: what is nobody's.
pub async fn beside_conversations(
    tx: &mut Tx,
    tenant: TenantId,
    before: i64,
    most: i64,
) -> Result<Vec<InboundEntry>> {
    // The index's predicate, word for word.
    const SQL: &str = "SELECT id, number, conversation, contact, seq, kind, raw, ordinal, at, wamid, content
        FROM inbound_event WHERE conversation = 0 AND tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(before)
            .bind(most)
            .fetch_all(conn)
            .await
    })?;
    Ok(rows.into_iter().map(entry).collect())
}

/// The ids of at most `most` entries from `newest` backwards, the newest first, and the one that would come next (0: the
/// history, or what retention left of it, ends there).
pub async fn walk(
    tx: &mut Tx,
    tenant: TenantId,
    newest: i64,
    most: usize,
) -> Result<(Vec<i64>, i64)> {
    // All ids come from one generator: an id is in one of the tables at most.
    const SQL: &str = "WITH RECURSIVE walk (id, n) AS (
            SELECT CAST($2 AS BIGINT), CAST(0 AS BIGINT)
            UNION ALL
            SELECT COALESCE((SELECT e.prev FROM inbound_event e WHERE e.id = w.id AND e.tenant = $1),
                    (SELECT o.prev FROM outbox o WHERE o.id = w.id AND o.tenant = $1),
                    (SELECT l.prev FROM owner_log l WHERE l.id = w.id AND l.tenant = $1), 0), w.n + 1
            FROM walk w WHERE w.id <> 0 AND w.n < $3
        ) SELECT id FROM walk ORDER BY n";
    let mut ids: Vec<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(tenant.raw())
            .bind(newest)
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(conn)
            .await
    })?;
    let next = if ids.len() > most {
        ids.pop().unwrap_or_default()
    } else {
        0
    };
    ids.retain(|id| *id != 0);
    Ok((ids, next))
}
