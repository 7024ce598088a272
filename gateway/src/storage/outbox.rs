//! The outbox table: every send from cleared draft to its end.
//!
//! Only a [`Cleared`] draft can enter (promise 4). State changes name the state that they come from, so that whoever
//! comes late (a second claim, an answer to a row that a receipt settled) changes nothing and is told so. What the
//! changes mean is `outbox`'s; the transaction, its fence and its locks are the caller's.

pub mod deferred;
mod lists;

use std::collections::HashMap;

use sqlx::FromRow;

use super::{
    Result, StorageError, Tx, batch, execute, execute_list, execute_rows, fetch_list, fetch_rows,
    on_backend,
};
use crate::domain::{
    Bucket, ContactId, ConversationId, Draft, DraftClass, NumberId, OutboundContent, OutboxId,
    OutboxState, Owner, ReceiptStatus, Recipient, Sender, StreamEvent, StreamKind, TenantId,
    Timestamp, TurnId,
};
use crate::policy::{Cleared, Reason, silences};

pub use lists::{by_ids, doubted, open, open_of_number, queued_of_number};

/// One send, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow {
    pub draft: Draft,
    pub bucket: Bucket,
    /// The turn that wrote it, if one did.
    pub turn: Option<TurnId>,
    pub state: OutboxState,
    /// Not before.
    pub due_at: Timestamp,
    /// POSTs begun, the one that is under way included.
    pub attempts: u32,
    /// Of those, how many may have reached Meta without our knowing.
    pub doubts: u32,
    pub changed_at: Timestamp,
    pub wamid: Option<String>,
    pub receipt: Option<ReceiptStatus>,
    /// Meta's last error code.
    pub error: Option<i64>,
    /// Why it was refused, given up or put off: a stable word, after a colon words for people. Empty: nothing to say.
    pub reason: String,
}

/// A cleared draft on its way in.
#[derive(Debug)]
pub struct NewSend {
    pub draft: Cleared<Draft>,
    pub bucket: Bucket,
    pub turn: Option<TurnId>,
    pub due_at: Timestamp,
    /// Why it waits until then; `None`: it does not.
    pub waits: Option<Reason>,
    /// The entry of its conversation before this one, by the conversation's row as it is locked; 0: none.
    pub prev: i64,
    /// It was decided on again in this very transaction, then: it is written as claimed.
    pub claimed_at: Option<Timestamp>,
}

impl NewSend {
    /// The row that it becomes.
    pub fn row(&self) -> OutboxRow {
        let draft = Draft::clone(&self.draft);
        let when = (self.due_at, self.waits, self.claimed_at);
        fresh(draft, self.bucket, self.turn, when)
    }

    fn into_row(self) -> OutboxRow {
        let when = (self.due_at, self.waits, self.claimed_at);
        fresh(self.draft.into_inner(), self.bucket, self.turn, when)
    }
}

fn fresh(
    draft: Draft,
    bucket: Bucket,
    turn: Option<TurnId>,
    (due_at, waits, claimed_at): (Timestamp, Option<Reason>, Option<Timestamp>),
) -> OutboxRow {
    OutboxRow {
        bucket,
        turn,
        state: match (claimed_at, waits) {
            (Some(_), _) => OutboxState::Claimed,
            (None, Some(_)) => OutboxState::Deferred,
            (None, None) => OutboxState::Queued,
        },
        due_at,
        attempts: u32::from(claimed_at.is_some()),
        doubts: 0,
        changed_at: claimed_at.unwrap_or(draft.created_at),
        wamid: None,
        receipt: None,
        error: None,
        reason: waits.map_or("", Reason::code).to_owned(),
        draft,
    }
}

/// The parts of a draft that have no column of their own.
#[derive(serde::Serialize)]
struct DraftJson<'a> {
    recipient: &'a Recipient,
    content: &'a OutboundContent,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
    sender: &'a Sender,
    owner_version: i64,
}

#[derive(serde::Deserialize)]
struct StoredDraft {
    recipient: Recipient,
    content: OutboundContent,
    #[serde(default)]
    reply_to: Option<String>,
    sender: Sender,
    owner_version: i64,
}

/// Adds sends, in the caller's transaction, and answers their rows for the delivery that runs on this node (to be
/// offered to it after the commit). The order given is the order within a conversation: ids must grow with it.
pub async fn insert_all_tenants(tx: &mut Tx, sends: Vec<NewSend>) -> Result<Vec<OutboxRow>> {
    let prevs: HashMap<OutboxId, i64> = sends
        .iter()
        .map(|send| (send.draft.id, send.prev))
        .collect();
    let rows: Vec<OutboxRow> = sends.into_iter().map(NewSend::into_row).collect();
    for run in batch::groups(tx, &rows) {
        let sql = batch::rows(
            "INSERT INTO outbox (id, tenant, number, bucket, conversation, contact, turn, state, class, draft, due_at,
                attempts, doubts, changed_at, wamid, receipt, error, reason, created_at, prev) VALUES",
            20,
            "",
        );
        execute_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.draft.id.raw())
                .bind(row.draft.tenant.raw())
                .bind(row.draft.number.raw())
                .bind(row.bucket.raw())
                .bind(row.draft.conversation.raw())
                .bind(row.draft.contact.raw())
                .bind(row.turn.map_or(0, TurnId::raw))
                .bind(row.state.code())
                .bind(row.draft.class.code())
                .bind(draft_json(&row.draft))
                .bind(row.due_at.millis())
                .bind(i64::from(row.attempts))
                .bind(0_i64)
                .bind(row.changed_at.millis())
                .bind("")
                .bind(-1_i64)
                .bind(0_i64)
                .bind(&row.reason)
                .bind(row.draft.created_at.millis())
                .bind(prevs.get(&row.draft.id).copied().unwrap_or_default())
        })?;
    }
    Ok(rows)
}

fn draft_json(draft: &Draft) -> String {
    serde_json::to_string(&DraftJson {
        recipient: &draft.recipient,
        content: &draft.content,
        reply_to: draft.reply_to.as_deref(),
        sender: &draft.sender,
        owner_version: draft.owner_version,
    })
    .expect("structs of strings always serialise")
}

/// Writes down to whom sends went after all: people change number while something waits. The rows are locked already.
pub async fn readdress_all_tenants(tx: &mut Tx, drafts: &[&Draft]) -> Result<()> {
    for draft in drafts {
        execute!(
            tx,
            sqlx::query("UPDATE outbox SET draft = $2 WHERE id = $1")
                .bind(draft.id.raw())
                .bind(draft_json(draft))
        )?;
    }
    Ok(())
}

/// The predicate of the index `outbox_todo`, word for word: SQLite uses a partial index only then.
const TODO: &str = "state IN (0, 1, 3)";

const COLUMNS: &str =
    "SELECT id, tenant, number, bucket, conversation, contact, turn, state, class, draft, due_at,
    attempts, doubts, changed_at, wamid, receipt, error, reason, created_at FROM outbox";

/// What is still to be done in these buckets, oldest first, without the numbers in `skip`: a page of `limit` rows
/// after `after`.
pub async fn todo_all_tenants(
    tx: &mut Tx,
    buckets: &[Bucket],
    skip: &[NumberId],
    after: OutboxId,
    limit: usize,
) -> Result<Vec<OutboxRow>> {
    let which = format!("{TODO} AND id > $1");
    of_buckets(tx, (&which, after.raw()), buckets, skip, "id", limit).await
}

/// Sends in these buckets, without the numbers in `skip`. `which`: the condition, with `$1` and what that is.
async fn of_buckets(
    tx: &mut Tx,
    (which, first): (&str, i64),
    buckets: &[Bucket],
    skip: &[NumberId],
    order: &str,
    limit: usize,
) -> Result<Vec<OutboxRow>> {
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let buckets = batch::padded(&buckets.iter().map(|b| b.raw()).collect::<Vec<_>>());
    // No number is 0, so an empty list skips nobody.
    let skip = match skip {
        [] => vec![0],
        skip => batch::padded(&skip.iter().map(|n| n.raw()).collect::<Vec<_>>()),
    };
    let skipped = batch::list("AND number NOT IN", skip.len(), buckets.len() + 3, "");
    let head = format!("{COLUMNS} WHERE {which} AND bucket IN");
    let tail = format!("{} ORDER BY {order} LIMIT $2", skipped.0);
    let sql = batch::list(&head, buckets.len(), 3, &tail);
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        let mut query = sqlx::query_as(sql).bind(first).bind(limit_of(limit));
        for value in buckets.iter().chain(&skip) {
            query = query.bind(value);
        }
        query.fetch_all(conn).await
    })?;
    rows.into_iter().map(row).collect()
}

/// What is still to be done for one number, oldest first: a page of `limit` rows after `after`.
pub async fn todo_of_number(
    tx: &mut Tx,
    tenant: TenantId,
    number: NumberId,
    after: OutboxId,
    limit: usize,
) -> Result<Vec<OutboxRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE {TODO} AND bucket = $1 AND id > $2 AND number = $3 AND tenant = $4 ORDER BY id LIMIT $5"
    ));
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(Bucket::of(number).raw())
            .bind(after.raw())
            .bind(number.raw())
            .bind(tenant.raw())
            .bind(limit_of(limit))
            .fetch_all(conn)
            .await
    })?;
    rows.into_iter().map(row).collect()
}

/// One send of a tenant.
pub async fn find(tx: &mut Tx, tenant: TenantId, id: OutboxId) -> Result<Option<OutboxRow>> {
    let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = $1 AND tenant = $2"));
    let found: Option<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(id.raw())
            .bind(tenant.raw())
            .fetch_optional(conn)
            .await
    })?;
    found.map(row).transpose()
}

/// Sends of a conversation that no turn wrote (confirmations of a word about consent), after this one, oldest first.
pub async fn without_turn(
    tx: &mut Tx,
    tenant: TenantId,
    conversation: ConversationId,
    after: OutboxId,
) -> Result<Vec<OutboxRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE tenant = $1 AND conversation = $2 AND turn = 0 AND id > $3 ORDER BY id"
    ));
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(tenant.raw())
            .bind(conversation.raw())
            .bind(after.raw())
            .fetch_all(conn)
            .await
    })?;
    rows.into_iter().map(row).collect()
}

/// Sends that may have reached the person twice, or not at all: in doubt now, sent once more, or given up in doubt. The
/// newest first. What a receipt settled before it was sent again is no doubt any more.
pub async fn doubted_all_tenants(tx: &mut Tx, limit: usize) -> Result<Vec<OutboxRow>> {
    // `doubts > 0` is the predicate of the index `outbox_doubted`, word for word.
    let sql = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE doubts > 0 AND (state = 3 OR doubts > 1 OR reason LIKE 'sent_once_more%'
            OR reason LIKE 'in_doubt%') ORDER BY id DESC LIMIT $1"
    ));
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(limit_of(limit))
            .fetch_all(conn)
            .await
    })?;
    rows.into_iter().map(row).collect()
}

/// Withdraws what is queued in a conversation and may not be said under its new owner: what the bot, and rules that speak
/// for it, wanted to say. Answers how many.
///
/// What is claimed already is on its way and stays.
pub async fn cancel_bot(
    tx: &mut Tx,
    tenant: TenantId,
    number: NumberId,
    conversation: ConversationId,
    owner: &Owner,
    now: Timestamp,
) -> Result<usize> {
    // Each half by its own index.
    let sql = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE {TODO} AND state = 0 AND bucket = $1 AND conversation = $2 AND tenant = $3
         UNION ALL {COLUMNS} WHERE state = 7 AND conversation = $2 AND tenant = $3"
    ));
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(Bucket::of(number).raw())
            .bind(conversation.raw())
            .bind(tenant.raw())
            .fetch_all(conn)
            .await
    })?;
    let rows: Vec<OutboxRow> = rows.into_iter().map(row).collect::<Result<_>>()?;
    let moves: Vec<Move> = rows
        .iter()
        .filter(|row| silences(owner, &row.draft))
        .map(|row| Move {
            reason: "taken_over".to_owned(),
            ..Move::of(row, OutboxState::Cancelled)
        })
        .collect();
    Ok(move_all_tenants(tx, &moves, now).await?.len())
}

/// One change of a row. It applies only while the row still is in state `from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub id: OutboxId,
    pub from: OutboxState,
    pub to: OutboxState,
    pub due_at: Timestamp,
    pub attempts: u32,
    pub doubts: u32,
    pub wamid: Option<String>,
    pub receipt: Option<ReceiptStatus>,
    pub error: Option<i64>,
    pub reason: String,
}

impl Move {
    /// `row` from where it stands to `to`, with nothing else changed.
    pub fn of(row: &OutboxRow, to: OutboxState) -> Self {
        Self {
            id: row.draft.id,
            from: row.state,
            to,
            due_at: row.due_at,
            attempts: row.attempts,
            doubts: row.doubts,
            wamid: row.wamid.clone(),
            receipt: row.receipt,
            error: row.error,
            reason: row.reason.clone(),
        }
    }
}

/// Applies moves and answers the ids of those that applied. Rows are locked in the order of their ids.
pub async fn move_all_tenants(
    tx: &mut Tx,
    moves: &[Move],
    now: Timestamp,
) -> Result<Vec<OutboxId>> {
    let mut moves: Vec<&Move> = moves.iter().collect();
    moves.sort_by_key(|change| change.id);
    let mut applied = Vec::with_capacity(moves.len());
    for run in batch::groups(tx, &moves) {
        let sql = batch::rows(
            "UPDATE outbox SET state = v.column3, due_at = v.column4, attempts = v.column5, doubts = v.column6,
                wamid = v.column7, receipt = v.column8, error = v.column9, reason = v.column10, changed_at = v.column11
             FROM (VALUES",
            11,
            ") AS v WHERE outbox.id = v.column1 AND outbox.state = v.column2
             RETURNING outbox.id, outbox.tenant, outbox.conversation",
        );
        let rows: Vec<(i64, i64, i64)> = fetch_rows!(tx, sql, run, |query, change| {
            query
                .bind(change.id.raw())
                .bind(change.from.code())
                .bind(change.to.code())
                .bind(change.due_at.millis())
                .bind(i64::from(change.attempts))
                .bind(i64::from(change.doubts))
                .bind(change.wamid.as_deref().unwrap_or(""))
                .bind(change.receipt.map_or(-1, ReceiptStatus::code))
                .bind(change.error.unwrap_or(0))
                .bind(change.reason.as_str())
                .bind(now.millis())
        })?;
        for row in rows {
            let id = OutboxId::from_raw(row.0);
            tell(tx, run, row, now);
            applied.push(id);
        }
    }
    Ok(applied)
}

/// What followers are told of a move: how a send ended. That it is claimed, put off or in doubt is between Meta and us.
fn tell(tx: &mut Tx, moves: &[&Move], (id, tenant, conversation): (i64, i64, i64), now: Timestamp) {
    let Some(change) = moves.iter().find(|change| change.id.raw() == id) else {
        return;
    };
    let kind = match change.to {
        // Meta gives ticks no id: they are no message.
        OutboxState::Accepted if change.wamid.is_none() => return,
        OutboxState::Accepted => StreamKind::MessageSent,
        OutboxState::Failed => StreamKind::MessageFailed,
        OutboxState::Refused => StreamKind::MessageRefused,
        OutboxState::Cancelled => StreamKind::MessageCancelled,
        OutboxState::Queued
        | OutboxState::Deferred
        | OutboxState::Claimed
        | OutboxState::Unknown => return,
    };
    let (tenant, conversation) = (
        TenantId::from_raw(tenant),
        ConversationId::from_raw(conversation),
    );
    let event = StreamEvent::new(tenant, conversation, kind, now).about(id);
    // Words for people follow a stable one: they may quote an answer of Meta's, and stay in the row.
    let word = change.reason.split(':').next().unwrap_or_default();
    tx.tell(event.noting(word));
}

/// Turns every claimed row of buckets that were just acquired into a doubt: whoever claimed them is gone, and may
/// have sent them. Answers how many.
pub async fn doubt_claimed_all_tenants(
    tx: &mut Tx,
    buckets: &[Bucket],
    now: Timestamp,
) -> Result<u64> {
    if buckets.is_empty() {
        return Ok(0);
    }
    let buckets = batch::padded(&buckets.iter().map(|b| b.raw()).collect::<Vec<_>>());
    let head = format!(
        "UPDATE outbox SET state = 3, doubts = doubts + 1, changed_at = $1, reason = 'owner_lost'
         WHERE {TODO} AND state = 1 AND bucket IN"
    );
    let sql = batch::list(&head, buckets.len(), 2, "");
    Ok(on_backend!(tx, |conn| {
        let mut query = sqlx::query(sql).bind(now.millis());
        for bucket in &buckets {
            query = query.bind(bucket);
        }
        query.execute(conn).await.map(|done| done.rows_affected())
    })?)
}

/// Makes claims that were never called what they were before: queued.
pub async fn unclaim_all_tenants(tx: &mut Tx, ids: &[OutboxId]) -> Result<()> {
    for run in batch::groups(tx, ids) {
        let head = "UPDATE outbox SET state = 0 WHERE state = 1 AND id IN";
        let sql = batch::any_of(head, 1, "");
        execute_list!(tx, sql, [0_i64; 0], run.iter().map(|id| id.raw()))?;
    }
    Ok(())
}

/// Which of these are still in doubt: a receipt may have settled the others.
pub async fn still_unknown_all_tenants(tx: &mut Tx, ids: &[OutboxId]) -> Result<Vec<OutboxId>> {
    let ids = batch::sorted(ids.iter().map(|id| id.raw()));
    let mut found = Vec::new();
    for run in batch::groups(tx, &ids) {
        let sql = batch::any_of("SELECT id FROM outbox WHERE state = 3 AND id IN", 1, "");
        let rows: Vec<(i64,)> = fetch_list!(tx, sql, [0_i64; 0], run)?;
        found.extend(rows.into_iter().map(|(id,)| OutboxId::from_raw(id)));
    }
    Ok(found)
}

#[derive(FromRow)]
struct Row {
    id: i64,
    tenant: i64,
    number: i64,
    bucket: i64,
    conversation: i64,
    contact: i64,
    turn: i64,
    state: i64,
    class: i64,
    draft: String,
    due_at: i64,
    attempts: i64,
    doubts: i64,
    changed_at: i64,
    wamid: String,
    receipt: i64,
    error: i64,
    reason: String,
    created_at: i64,
}

fn row(row: Row) -> Result<OutboxRow> {
    let id = OutboxId::from_raw(row.id);
    let corrupt = |what: &str| StorageError::Corrupt(format!("{what} of {id}"));
    let draft: StoredDraft = serde_json::from_str(&row.draft).map_err(|_| corrupt("draft"))?;
    Ok(OutboxRow {
        bucket: Bucket::from_raw(row.bucket).ok_or_else(|| corrupt("bucket"))?,
        turn: (row.turn != 0).then(|| TurnId::from_raw(row.turn)),
        state: OutboxState::from_code(row.state).ok_or_else(|| corrupt("state"))?,
        due_at: Timestamp::from_millis(row.due_at),
        attempts: count(row.attempts),
        doubts: count(row.doubts),
        changed_at: Timestamp::from_millis(row.changed_at),
        wamid: (!row.wamid.is_empty()).then_some(row.wamid),
        receipt: ReceiptStatus::from_code(row.receipt),
        error: (row.error != 0).then_some(row.error),
        reason: row.reason,
        draft: Draft {
            id,
            tenant: TenantId::from_raw(row.tenant),
            number: NumberId::from_raw(row.number),
            conversation: ConversationId::from_raw(row.conversation),
            contact: ContactId::from_raw(row.contact),
            recipient: draft.recipient,
            content: draft.content,
            reply_to: draft.reply_to,
            class: DraftClass::from_code(row.class).ok_or_else(|| corrupt("class"))?,
            sender: draft.sender,
            owner_version: draft.owner_version,
            created_at: Timestamp::from_millis(row.created_at),
        },
    })
}

fn count(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
