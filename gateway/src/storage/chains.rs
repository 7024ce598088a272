//! What `explain` asks of the tables of a message's way: single rows by their ids, and who a wamid belongs to.
//!
//! wamids have no index, because every message would pay for it and hardly anybody asks: the newest rows are looked
//! through, a bounded number of them.

use sqlx::FromRow;

use super::{Result, Tx, on_backend, rows, rows::moment};
use crate::domain::{
    AppId, ContactId, ConversationId, EventId, NumberId, OutboxId, RawId, TenantId, Timestamp,
    TurnId,
};

/// An inbound event with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainEvent {
    pub id: EventId,
    pub tenant: TenantId,
    pub number: NumberId,
    pub conversation: ConversationId,
    pub contact: ContactId,
    pub seq: i64,
    pub raw: RawId,
    /// Which item of that body it is.
    pub ordinal: i64,
    /// One of [`EventKind`](super::events::EventKind).
    pub kind: i64,
    /// Meta's time.
    pub at: Timestamp,
    pub wamid: String,
    /// Typed content, JSON.
    pub content: String,
    /// One of [`word`](super::events::word).
    pub word: i64,
    /// 0 waits for its turn, 1 done, 2 never has one.
    pub state: i64,
    pub turn: Option<TurnId>,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    tenant: i64,
    number: i64,
    conversation: i64,
    contact: i64,
    seq: i64,
    raw: i64,
    ordinal: i64,
    kind: i64,
    at: i64,
    wamid: String,
    content: String,
    word: i64,
    state: i64,
    turn: i64,
}

/// An event of a tenant, while retention keeps it.
pub async fn event(tx: &mut Tx, tenant: TenantId, id: EventId) -> Result<Option<ChainEvent>> {
    const SQL: &str = "SELECT id, tenant, number, conversation, contact, seq, raw, ordinal, kind, at, wamid, content,
            word, state, turn FROM inbound_event WHERE tenant = $1 AND id = $2";
    let row: Option<Row> = rows::one(tx, tenant, SQL, id.raw()).await?;
    Ok(row.map(|row| ChainEvent {
        id: EventId::from_raw(row.id),
        tenant: TenantId::from_raw(row.tenant),
        number: NumberId::from_raw(row.number),
        conversation: ConversationId::from_raw(row.conversation),
        contact: ContactId::from_raw(row.contact),
        seq: row.seq,
        raw: RawId::from_raw(row.raw),
        ordinal: row.ordinal,
        kind: row.kind,
        at: Timestamp::from_millis(row.at),
        wamid: row.wamid,
        content: row.content,
        word: row.word,
        state: row.state,
        turn: (row.turn != 0).then(|| TurnId::from_raw(row.turn)),
    }))
}

/// A webhook body as it is kept, without the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBody {
    pub app: AppId,
    pub received_at: Timestamp,
    /// `None`: not yet.
    pub attached_at: Option<Timestamp>,
    pub bytes: i64,
}

/// What is kept of a body, while retention keeps it.
pub async fn body_all_tenants(tx: &mut Tx, raw: RawId) -> Result<Option<KeptBody>> {
    const SQL: &str = "SELECT r.app, r.received_at, r.attached_at, CAST(LENGTH(w.body) AS BIGINT)
        FROM inbound_raw r
        JOIN inbound_raw w ON w.id = CASE WHEN r.part_of = 0 THEN r.id ELSE r.part_of END WHERE r.id = $1";
    let row: Option<(i64, i64, i64, i64)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(raw.raw())
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(|(app, received_at, attached_at, bytes)| KeptBody {
        app: AppId::from_raw(app),
        received_at: Timestamp::from_millis(received_at),
        attached_at: moment(attached_at),
        bytes,
    }))
}

/// What an id or a wamid names, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    Event(TenantId, EventId),
    Send(TenantId, OutboxId),
}

/// Whose an event or a send is, or a message that was refused. `None`: nobody's, or it is gone.
pub async fn tenant_of_all_tenants(tx: &mut Tx, id: i64) -> Result<Option<TenantId>> {
    const SQL: &str = "SELECT tenant FROM inbound_event WHERE id = $1
        UNION ALL SELECT tenant FROM outbox WHERE id = $1
        UNION ALL SELECT tenant FROM refusal WHERE id = $1
        UNION ALL SELECT tenant FROM turn WHERE id = $1";
    let row: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL).bind(id).fetch_optional(conn).await
    })?;
    Ok(row.filter(|tenant| *tenant != 0).map(TenantId::from_raw))
}

/// The turn whose journal speaks of a send, among turns from the id `first` on: a draft that was refused in its turn stands
/// nowhere else.
pub async fn turn_of_draft_all_tenants(
    tx: &mut Tx,
    draft: OutboxId,
    first: i64,
) -> Result<Option<(TenantId, TurnId)>> {
    // A draft gets its id in its turn, after the turn itself.
    const SQL: &str = "SELECT tenant, id FROM turn WHERE id >= $1 AND id < $2 AND journal LIKE $3
        ORDER BY id DESC LIMIT 1";
    let row: Option<(i64, i64)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(first)
            .bind(draft.raw())
            .bind(format!("%\"send\":\"{draft}\"%"))
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(|(tenant, id)| (TenantId::from_raw(tenant), TurnId::from_raw(id))))
}
