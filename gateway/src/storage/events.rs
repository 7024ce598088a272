//! Inbound events: known once, attached to a conversation with a sequence number, waiting for their turn.

use std::sync::Arc;

use sqlx::FromRow;

use super::conversations::Conversation;
use super::{Result, StorageError, Tx, batch, execute_rows, fetch_rows, on_backend};
use crate::domain::{
    Bucket, ContactId, ConversationId, EventId, InboundMessage, NumberId, Occasion, RawId,
    StreamEvent, StreamKind, TenantId, Timestamp, TurnId, id,
};
use crate::policy::ConsentState;

/// How an event is told from every other: Meta's time and a keyed hash of number and wamid (promise 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventKey {
    pub at: i64,
    pub hash: i64,
}

/// What an event is, as far as turns are concerned. The numbers are what the database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    Message = 1,
    /// A message from before the 30 days in which we know duplicates: kept, and no turn acts on it.
    Stale = 2,
    /// Something in a conversation that starts no turn: an edit, an echo, a call, what Meta says of the person.
    Notice = 3,
    /// What Meta says of an account, number or template.
    Account = 4,
    /// A business event, a timer or a receipt that plugins hear of: it has its turn as a message has.
    Occasion = 5,
    /// Anything the gateway does not act on: kept raw.
    Kept = 9,
}

impl EventKind {
    pub fn from_code(code: i64) -> Option<Self> {
        [
            Self::Message,
            Self::Stale,
            Self::Notice,
            Self::Account,
            Self::Kept,
        ]
        .into_iter()
        .find(|kind| *kind as i64 == code)
    }
}

/// What ingest found in a message, for its turn to act on.
pub mod word {
    pub const NONE: i64 = 0;
    /// The gateway has answered it: no plugin sees it.
    pub const CONSENT: i64 = 1;
    /// "I want a person."
    pub const HUMAN: i64 = 2;
}

/// An event to be written.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub id: EventId,
    pub tenant: Option<TenantId>,
    pub number: Option<NumberId>,
    pub bucket: Bucket,
    pub conversation: Option<ConversationId>,
    pub contact: Option<ContactId>,
    pub seq: i64,
    pub raw: RawId,
    /// Which item of the body it is.
    pub ordinal: i64,
    pub kind: EventKind,
    pub at: Timestamp,
    pub wamid: String,
    /// JSON of [`InboundMessage`], [`Occasion`] or [`AccountNews`](crate::domain::account::AccountNews); for what is kept
    /// raw, its name.
    pub content: String,
    /// One of [`word`].
    pub word: i64,
    /// The entry of its conversation before this one; 0: none, or of no conversation.
    pub prev: i64,
    /// Followers of the tenant's events are told of it: who owned the conversation when it came.
    pub told: Option<i64>,
}

/// Writes down which events are known from now on; answers those that were not.
pub async fn first_seen_all_tenants(tx: &mut Tx, keys: &[EventKey]) -> Result<Vec<EventKey>> {
    let mut fresh = Vec::with_capacity(keys.len());
    for run in batch::groups(tx, keys) {
        let tail = "ON CONFLICT (at, hash) DO NOTHING RETURNING at, hash";
        let sql = batch::rows("INSERT INTO event_seen (at, hash) VALUES", 2, tail);
        let rows: Vec<(i64, i64)> = fetch_rows!(tx, sql, run, |query, key| {
            query.bind(key.at).bind(key.hash)
        })?;
        fresh.extend(rows.into_iter().map(|(at, hash)| EventKey { at, hash }));
    }
    Ok(fresh)
}

impl EventKind {
    fn has_a_turn(self) -> bool {
        matches!(self, Self::Message | Self::Occasion)
    }
}

/// Appends events. Messages and occasions wait for their turn, everything else never has one.
pub async fn append_all_tenants(tx: &mut Tx, events: &[NewEvent]) -> Result<()> {
    for run in batch::groups(tx, events) {
        let sql = batch::rows(
            "INSERT INTO inbound_event (id, tenant, number, bucket, conversation, contact, seq, raw, ordinal, kind,
                at, wamid, content, word, prev, state) VALUES",
            16,
            "",
        );
        execute_rows!(tx, sql, run, |query, event| {
            query
                .bind(event.id.raw())
                .bind(event.tenant.map_or(0, TenantId::raw))
                .bind(event.number.map_or(0, NumberId::raw))
                .bind(event.bucket.raw())
                .bind(event.conversation.map_or(0, ConversationId::raw))
                .bind(event.contact.map_or(0, ContactId::raw))
                .bind(event.seq)
                .bind(event.raw.raw())
                .bind(event.ordinal)
                .bind(event.kind as i64)
                .bind(event.at.millis())
                .bind(&event.wamid)
                .bind(&event.content)
                .bind(event.word)
                .bind(event.prev)
                .bind(if event.kind.has_a_turn() { 0_i64 } else { 2 })
        })?;
    }
    events
        .iter()
        .filter_map(told)
        .for_each(|event| tx.tell(event));
    Ok(())
}

fn told(event: &NewEvent) -> Option<StreamEvent> {
    let (tenant, conversation, owner) = (event.tenant?, event.conversation?, event.told?);
    let at = id::made_at(event.id.raw());
    let kind = StreamKind::MessageReceived;
    Some(
        StreamEvent::new(tenant, conversation, kind, at)
            .about(event.id.raw())
            .with_detail(owner),
    )
}

/// What a turn is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    Message(Box<InboundMessage>),
    Occasion(Occasion),
}

impl Subject {
    /// Stable word for logs and the journal.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Message(message) => message.content.word(),
            Self::Occasion(occasion) => occasion.word(),
        }
    }
}

/// A message or an occasion that waits for its turn.
#[derive(Debug, Clone)]
pub struct PendingEvent {
    pub id: EventId,
    pub tenant: TenantId,
    pub number: NumberId,
    pub bucket: Bucket,
    pub conversation: ConversationId,
    pub contact: ContactId,
    pub seq: i64,
    pub raw: RawId,
    pub ordinal: i64,
    pub at: Timestamp,
    pub wamid: String,
    pub subject: Subject,
    /// One of [`word`].
    pub word: i64,
    /// The `messages[]` element as it came, when it is at hand; else it stands in the raw body.
    pub element: Option<String>,
    /// What the message met when it was attached, if its turn can begin with that; else it is read again.
    pub met: Option<Arc<Met>>,
}

/// A conversation and its person's consent, as the transaction left them that attached the message. Whatever moved since
/// is found by the version that a turn's commit checks, and by the claim, which decides again.
#[derive(Debug)]
pub struct Met {
    pub conversation: Conversation,
    pub consent: ConsentState,
}

/// An occasion as the next event of a locked conversation; the caller writes both. It is no entry of the history that
/// people read: nobody said anything.
pub fn place_occasion(
    id: EventId,
    conversation: &mut Conversation,
    occasion: Occasion,
    at: Timestamp,
) -> (NewEvent, PendingEvent) {
    let seq = conversation.next_seq;
    conversation.next_seq += 1;
    let new = NewEvent {
        id,
        tenant: Some(conversation.tenant),
        number: Some(conversation.number),
        bucket: conversation.bucket,
        conversation: Some(conversation.id),
        contact: Some(conversation.contact),
        seq,
        raw: RawId::from_raw(0),
        ordinal: 0,
        kind: EventKind::Occasion,
        at,
        wamid: String::new(),
        content: serde_json::to_string(&occasion).expect("an occasion is JSON"),
        word: word::NONE,
        prev: 0,
        told: None,
    };
    let pending = PendingEvent {
        id,
        tenant: conversation.tenant,
        number: conversation.number,
        bucket: conversation.bucket,
        conversation: conversation.id,
        contact: conversation.contact,
        seq,
        raw: new.raw,
        ordinal: 0,
        at,
        wamid: String::new(),
        subject: Subject::Occasion(occasion),
        word: word::NONE,
        element: None,
        met: None,
    };
    (new, pending)
}

#[derive(FromRow)]
struct PendingRow {
    id: i64,
    tenant: i64,
    number: i64,
    bucket: i64,
    conversation: i64,
    contact: i64,
    seq: i64,
    raw: i64,
    ordinal: i64,
    at: i64,
    wamid: String,
    content: String,
    word: i64,
    kind: i64,
}

/// Messages of these buckets that wait, oldest first, without those of the tenants in `skip`.
pub async fn pending_all_tenants(
    tx: &mut Tx,
    buckets: &[Bucket],
    skip: &[TenantId],
    limit: i64,
) -> Result<Vec<PendingEvent>> {
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let buckets = batch::padded(
        &buckets
            .iter()
            .map(|bucket| bucket.raw())
            .collect::<Vec<_>>(),
    );
    // No waiting event has tenant 0, so an empty list skips nobody.
    let skip = match skip {
        [] => vec![0],
        skip => batch::padded(&skip.iter().map(|tenant| tenant.raw()).collect::<Vec<_>>()),
    };
    let skipped = batch::list("AND tenant NOT IN", skip.len(), buckets.len() + 2, "");
    let sql = batch::list(
        "SELECT id, tenant, number, bucket, conversation, contact, seq, raw, ordinal, at, wamid, content, word,
            kind
         FROM inbound_event WHERE state = 0 AND bucket IN",
        buckets.len(),
        2,
        &format!("{} ORDER BY id LIMIT $1", skipped.0),
    );
    let rows: Vec<PendingRow> = on_backend!(tx, |conn| {
        let mut query = sqlx::query_as(sql).bind(limit);
        for value in buckets.iter().chain(&skip) {
            query = query.bind(value);
        }
        query.fetch_all(conn).await
    })?;
    let readable = |row| match pending(row) {
        Ok(event) => Some(event),
        Err(error) => {
            // It holds its own conversation, and must not hold everybody's.
            tracing::error!(%error, "a waiting message does not read");
            None
        }
    };
    Ok(rows.into_iter().filter_map(readable).collect())
}

fn pending(row: PendingRow) -> Result<PendingEvent> {
    let corrupt = |what: &str| StorageError::Corrupt(format!("{what} of event {}", row.id));
    Ok(PendingEvent {
        id: EventId::from_raw(row.id),
        tenant: TenantId::from_raw(row.tenant),
        number: NumberId::from_raw(row.number),
        bucket: Bucket::from_raw(row.bucket).ok_or_else(|| corrupt("bucket"))?,
        conversation: ConversationId::from_raw(row.conversation),
        contact: ContactId::from_raw(row.contact),
        seq: row.seq,
        raw: RawId::from_raw(row.raw),
        ordinal: row.ordinal,
        at: Timestamp::from_millis(row.at),
        subject: subject(&row).map_err(|_| corrupt("content"))?,
        wamid: row.wamid,
        word: row.word,
        element: None,
        met: None,
    })
}

fn subject(row: &PendingRow) -> serde_json::Result<Subject> {
    Ok(match row.kind == EventKind::Occasion as i64 {
        true => Subject::Occasion(serde_json::from_str(&row.content)?),
        false => Subject::Message(serde_json::from_str(&row.content)?),
    })
}

/// Says that these events had their turn. Answers how many of them still waited: less than asked means that somebody
/// else was there before, and the transaction must not commit.
pub async fn mark_done_all_tenants(tx: &mut Tx, done: &[(EventId, TurnId)]) -> Result<u64> {
    let mut touched = 0;
    for run in batch::groups(tx, done) {
        let sql = batch::rows(
            "UPDATE inbound_event SET state = 1, turn = v.column2 FROM (VALUES",
            2,
            // The sum keeps PostgreSQL from the index of what waits, which holds everything that waited since its last
            // vacuum, and is small to its planner.
            ") AS v WHERE inbound_event.id = v.column1 AND inbound_event.state + 0 = 0",
        );
        touched += execute_rows!(tx, sql, run, |query, (event, turn)| query
            .bind(event.raw())
            .bind(turn.raw()))?;
    }
    Ok(touched)
}

/// How many messages wait for their turn.
pub async fn count_pending_all_tenants(tx: &mut Tx) -> Result<i64> {
    Ok(super::on_backend!(tx, |conn| {
        sqlx::query_scalar("SELECT COUNT(*) FROM inbound_event WHERE state = 0")
            .fetch_one(conn)
            .await
    })?)
}
