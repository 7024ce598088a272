//! Receipts: every one is kept once, and the send they speak of only moves forward (promise 9).

use std::collections::BTreeMap;

use super::{Result, Tx, batch, execute_rows, fetch_list, fetch_rows};
use crate::domain::{
    ContactId, ConversationId, DraftClass, NumberId, OutboxId, OutboxState, ReceiptStatus,
    StreamEvent, StreamKind, TenantId, Timestamp,
};

/// A receipt of one of our sends, with what must be known of its day when prices are asked for later.
#[derive(Debug, Clone)]
pub struct ReceiptRow {
    pub outbox: OutboxId,
    pub tenant: TenantId,
    pub status: ReceiptStatus,
    pub at: Timestamp,
    pub error: i64,
    pub wamid: String,
    /// Meta's `pricing` object as it came; empty: none.
    pub pricing: String,
    pub time_zone: String,
}

/// A receipt as it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReceipt {
    pub outbox: OutboxId,
    pub status: i64,
    /// Meta's time.
    pub at: Timestamp,
    pub error: i64,
    pub pricing: String,
}

type KeptRow = (i64, i64, i64, i64, String);

/// All receipts of these sends of a tenant, by send and status.
pub async fn of_sends(tx: &mut Tx, tenant: TenantId, sends: &[i64]) -> Result<Vec<KeptReceipt>> {
    let ids = batch::sorted(sends.iter().copied());
    let mut found = Vec::new();
    for run in batch::groups(tx, &ids) {
        let head = "SELECT outbox, status, at, error, pricing FROM receipt WHERE tenant = $1 AND outbox IN";
        let sql = batch::any_of(head, 2, "ORDER BY outbox, status");
        let rows: Vec<KeptRow> = fetch_list!(tx, sql, [tenant.raw()], run)?;
        found.extend(
            rows.into_iter()
                .map(|(outbox, status, at, error, pricing)| KeptReceipt {
                    outbox: OutboxId::from_raw(outbox),
                    status,
                    at: Timestamp::from_millis(at),
                    error,
                    pricing,
                }),
        );
    }
    Ok(found)
}

/// What applying receipts came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Applied {
    pub fresh: usize,
    pub doubled: usize,
    /// Fresh ones that changed nothing, because the send was further already.
    pub backward: usize,
    /// Ids that no send of that tenant has.
    pub unknown: usize,
    /// Receipts that moved their sends: each once, and none that was overtaken.
    pub forward: Vec<Forward>,
    /// Sends that failed by these receipts. A failure that was known, or came too late to count, is none of them:
    /// whoever acts on failures acts on each once.
    pub failed: Vec<FailedSend>,
}

/// A receipt that was news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    pub send: SentTo,
    pub status: ReceiptStatus,
    /// Meta's time.
    pub at: Timestamp,
    /// Meta's code; 0 when it gave none.
    pub error: i64,
}

/// A send that Meta took and could not deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedSend {
    pub send: SentTo,
    /// Meta's code; 0 when it gave none.
    pub error: i64,
    /// Meta's time of the failure, in whole seconds.
    pub at: Timestamp,
}

/// Whose send it was, and to whom. None of it ever changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentTo {
    pub outbox: OutboxId,
    pub tenant: TenantId,
    pub number: NumberId,
    pub conversation: ConversationId,
    pub contact: ContactId,
}

/// To whom these sends went, for those that exist. Nothing is locked: it tells what to lock before the sends are.
pub async fn sent_to_all_tenants(tx: &mut Tx, ids: &[OutboxId]) -> Result<Vec<SentTo>> {
    let head = "SELECT id, tenant, number, conversation, contact FROM outbox WHERE id IN";
    let ids = batch::sorted(ids.iter().map(|id| id.raw()));
    let mut found = Vec::with_capacity(ids.len());
    for run in batch::groups(tx, &ids) {
        let sql = batch::any_of(head, 1, "");
        let rows: Vec<SentToRow> = fetch_list!(tx, sql, [0_i64; 0], run)?;
        found.extend(rows.into_iter().map(sent_to));
    }
    Ok(found)
}

/// Of sends with a class each: those that went out as another.
pub async fn of_another_class_all_tenants(
    tx: &mut Tx,
    claims: &[(OutboxId, i64)],
) -> Result<Vec<OutboxId>> {
    let head = "SELECT id, class FROM outbox WHERE id IN";
    let ids = batch::sorted(claims.iter().map(|(id, _)| id.raw()));
    let mut found = Vec::new();
    for run in batch::groups(tx, &ids) {
        let sql = batch::any_of(head, 1, "");
        let rows: Vec<(i64, i64)> = fetch_list!(tx, sql, [0_i64; 0], run)?;
        let other = |&(id, class): &(i64, i64)| {
            let claimed = claims.iter().find(|(claim, _)| claim.raw() == id);
            claimed.is_some_and(|(_, claimed)| *claimed != class)
        };
        found.extend(
            rows.iter()
                .filter(|row| other(row))
                .map(|row| OutboxId::from_raw(row.0)),
        );
    }
    Ok(found)
}

type SentToRow = (i64, i64, i64, i64, i64);

fn sent_to((outbox, tenant, number, conversation, contact): SentToRow) -> SentTo {
    SentTo {
        outbox: OutboxId::from_raw(outbox),
        tenant: TenantId::from_raw(tenant),
        number: NumberId::from_raw(number),
        conversation: ConversationId::from_raw(conversation),
        contact: ContactId::from_raw(contact),
    }
}

/// Applies receipts of one batch.
///
/// A receipt also proves that its send reached Meta: a row that is claimed, or was ever in doubt, becomes accepted with
/// the wamid, whether or not Graph's answer ever came. That holds for one that waits to be sent once more, and for one
/// that was given up, refused or withdrawn meanwhile: it is out, and is not sent again (promise 5). Its reason goes, as
/// the doubt does, unless it has begun to go out a second time: `sent_once_more` then says so for ever.
pub async fn apply_all_tenants(
    tx: &mut Tx,
    rows: &[ReceiptRow],
    now: Timestamp,
) -> Result<Applied> {
    let mut applied = Applied::default();
    let known = lock_sends(tx, rows).await?;
    let ours: Vec<&ReceiptRow> = rows
        .iter()
        .filter(|row| {
            known
                .get(&row.outbox.raw())
                .is_some_and(|send| send.to.tenant == row.tenant)
        })
        .collect();
    applied.unknown = rows.len() - ours.len();
    let mut distinct = BTreeMap::new();
    for row in ours {
        distinct
            .entry((row.outbox.raw(), row.status.code()))
            .or_insert(row);
    }
    let distinct: Vec<&ReceiptRow> = distinct.into_values().collect();
    let fresh = insert_new(tx, &distinct, &known).await?;
    applied.fresh = fresh.len();
    applied.doubled = rows.len() - applied.unknown - applied.fresh;
    let (moves, forward) = fold(&fresh, &known, &mut applied);
    store(tx, &moves, now).await?;
    // Whoever records Graph's answer afterwards finds the send accepted, and tells nothing.
    for change in moves.iter().filter(|change| change.settles) {
        let SentTo {
            tenant,
            conversation,
            ..
        } = known[&change.outbox].to;
        let event = StreamEvent::new(tenant, conversation, StreamKind::MessageSent, now);
        tx.tell(event.about(change.outbox));
    }
    for row in forward {
        let SentTo {
            tenant,
            conversation,
            ..
        } = known[&row.outbox.raw()].to;
        let event = StreamEvent::new(tenant, conversation, StreamKind::MessageStatus, now);
        tx.tell(event.about(row.outbox.raw()).with_detail(row.status.code()));
        applied.forward.push(Forward {
            send: known[&row.outbox.raw()].to,
            status: row.status,
            at: row.at,
            error: row.error,
        });
    }
    Ok(applied)
}

struct Send {
    to: SentTo,
    receipt: i64,
    category: &'static str,
    /// Nobody knows yet that Meta has it: a receipt says so.
    unsettled: bool,
}

/// The sends, locked in the order of their ids.
async fn lock_sends(tx: &mut Tx, rows: &[ReceiptRow]) -> Result<BTreeMap<i64, Send>> {
    let head = "SELECT id, tenant, number, conversation, contact, receipt, class, state, doubts FROM outbox WHERE id IN";
    let tail = tx.pick("", "ORDER BY id FOR UPDATE");
    let ids = batch::sorted(rows.iter().map(|row| row.outbox.raw()));
    let mut sends = BTreeMap::new();
    for run in batch::groups(tx, &ids) {
        let sql = batch::any_of(head, 1, tail);
        let rows: Vec<SendRow> = fetch_list!(tx, sql, [0_i64; 0], run)?;
        sends.extend(rows.into_iter().map(send));
    }
    Ok(sends)
}

type SendRow = (i64, i64, i64, i64, i64, i64, i64, i64, i64);

fn send(row: SendRow) -> (i64, Send) {
    let (id, tenant, number, conversation, contact, receipt, class, state, doubts) = row;
    let send = Send {
        to: sent_to((id, tenant, number, conversation, contact)),
        receipt,
        category: category(class),
        unsettled: state != OutboxState::Accepted.code()
            && (doubts > 0
                || [OutboxState::Claimed, OutboxState::Unknown]
                    .map(OutboxState::code)
                    .contains(&state)),
    };
    (id, send)
}

/// The category under which a template of this class went out. Until templates are synced (they are not yet) this is
/// what the sender claimed.
fn category(class: i64) -> &'static str {
    match DraftClass::from_code(class) {
        Some(DraftClass::Utility) => "utility",
        Some(DraftClass::Marketing) => "marketing",
        Some(DraftClass::Authentication) => "authentication",
        _ => "",
    }
}

async fn insert_new<'a>(
    tx: &mut Tx,
    rows: &[&'a ReceiptRow],
    known: &BTreeMap<i64, Send>,
) -> Result<Vec<&'a ReceiptRow>> {
    let mut fresh = Vec::with_capacity(rows.len());
    for run in batch::groups(tx, rows) {
        let sql = batch::rows(
            "INSERT INTO receipt (outbox, status, tenant, at, error, pricing, time_zone, template_category) VALUES",
            8,
            "ON CONFLICT (outbox, status) DO NOTHING RETURNING outbox, status",
        );
        let inserted: Vec<(i64, i64)> = fetch_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.outbox.raw())
                .bind(row.status.code())
                .bind(row.tenant.raw())
                .bind(row.at.millis())
                .bind(row.error)
                .bind(&row.pricing)
                .bind(&row.time_zone)
                .bind(
                    known
                        .get(&row.outbox.raw())
                        .map_or("", |send| send.category),
                )
        })?;
        fresh.extend(
            run.iter()
                .filter(|row| inserted.contains(&(row.outbox.raw(), row.status.code()))),
        );
    }
    Ok(fresh)
}

/// What becomes of one send.
struct Move {
    outbox: i64,
    receipt: i64,
    /// [`UNCHANGED`] when no receipt moved it.
    error: i64,
    wamid: String,
    /// See [`Send::unsettled`].
    settles: bool,
}

/// Meta's codes are never negative.
const UNCHANGED: i64 = -1;

/// What becomes of the sends, and which receipts moved them.
fn fold<'a>(
    fresh: &[&'a ReceiptRow],
    known: &BTreeMap<i64, Send>,
    applied: &mut Applied,
) -> (Vec<Move>, Vec<&'a ReceiptRow>) {
    let mut forward = Vec::with_capacity(fresh.len());
    let mut moves: BTreeMap<i64, Move> = BTreeMap::new();
    for row in fresh {
        let send = &known[&row.outbox.raw()];
        let change = moves.entry(row.outbox.raw()).or_insert_with(|| Move {
            outbox: row.outbox.raw(),
            receipt: send.receipt,
            error: UNCHANGED,
            wamid: String::new(),
            settles: send.unsettled,
        });
        change.wamid.clone_from(&row.wamid);
        let next = ReceiptStatus::from_code(change.receipt)
            .map_or(row.status, |status| status.after(row.status));
        if next.code() == change.receipt {
            applied.backward += 1;
            continue;
        }
        forward.push(*row);
        change.receipt = next.code();
        change.error = 0;
        if next == ReceiptStatus::Failed {
            change.error = row.error.max(0);
            applied.failed.push(FailedSend {
                send: send.to,
                error: change.error,
                at: row.at,
            });
        }
    }
    (moves.into_values().collect(), forward)
}

async fn store(tx: &mut Tx, moves: &[Move], now: Timestamp) -> Result<()> {
    for run in batch::groups(tx, moves) {
        let sql = batch::rows(
            "UPDATE outbox SET receipt = v.column2,
                error = CASE WHEN v.column3 < 0 THEN error ELSE v.column3 END, wamid = v.column4,
                changed_at = CASE WHEN v.column5 = 1 THEN v.column6 ELSE changed_at END,
                reason = CASE WHEN v.column5 = 0 THEN reason
                    WHEN reason LIKE 'sent_once_more%' AND (state = 1 OR doubts > 1) THEN reason ELSE '' END,
                state = CASE WHEN v.column5 = 1 THEN 2 ELSE state END
             FROM (VALUES",
            6,
            ") AS v WHERE outbox.id = v.column1",
        );
        execute_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.outbox)
                .bind(row.receipt)
                .bind(row.error)
                .bind(&row.wamid)
                .bind(i64::from(row.settles))
                .bind(now.millis())
        })?;
    }
    Ok(())
}
