//! Receipts: every one is kept once, and the send they speak of only moves forward (promise 9).

use std::collections::BTreeMap;

use super::{Result, Tx, batch, execute_rows, fetch_list, people};
use crate::domain::{ContactId, OutboxId, ReceiptStatus, TenantId, Timestamp};

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

/// What applying receipts came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    pub fresh: usize,
    pub doubled: usize,
    /// Fresh ones that changed nothing, because the send was further already.
    pub backward: usize,
    /// Ids that no send of that tenant has.
    pub unknown: usize,
}

/// Applies receipts of one batch.
///
/// A receipt also proves that its send reached Meta: a row that is claimed or in doubt becomes accepted, with the
/// wamid, whether or not Graph's answer ever came (promise 5).
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
                .is_some_and(|send| send.tenant == row.tenant.raw())
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
    let moves = fold(&fresh, &known, &mut applied);
    store(tx, &moves, now).await?;
    Ok(applied)
}

struct Send {
    tenant: i64,
    receipt: i64,
    category: String,
}

async fn lock_sends(tx: &mut Tx, rows: &[ReceiptRow]) -> Result<BTreeMap<i64, Send>> {
    let ids: std::collections::BTreeSet<i64> = rows.iter().map(|row| row.outbox.raw()).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids = batch::padded(&ids.into_iter().collect::<Vec<_>>());
    let tail = if tx.is_postgres() {
        "ORDER BY id FOR UPDATE"
    } else {
        ""
    };
    let head = "SELECT id, tenant, receipt, class FROM outbox WHERE id IN";
    let found: Vec<(i64, i64, i64, i64)> =
        fetch_list!(tx, batch::list(head, ids.len(), 1, tail), [0_i64; 0], &ids)?;
    Ok(found
        .into_iter()
        .map(|(id, tenant, receipt, class)| {
            (
                id,
                Send {
                    tenant,
                    receipt,
                    category: category(class).to_owned(),
                },
            )
        })
        .collect())
}

/// The category under which a template of this class went out. Until templates are synced (they are not yet) this is
/// what the sender claimed.
fn category(class: i64) -> &'static str {
    match crate::domain::DraftClass::from_code(class) {
        Some(crate::domain::DraftClass::Utility) => "utility",
        Some(crate::domain::DraftClass::Marketing) => "marketing",
        Some(crate::domain::DraftClass::Authentication) => "authentication",
        _ => "",
    }
}

async fn insert_new<'a>(
    tx: &mut Tx,
    rows: &[&'a ReceiptRow],
    known: &BTreeMap<i64, Send>,
) -> Result<Vec<&'a ReceiptRow>> {
    let mut fresh = Vec::with_capacity(rows.len());
    for run in batch::runs(rows) {
        let sql = batch::values(
            "INSERT INTO receipt (outbox, status, tenant, at, error, pricing, time_zone, template_category) VALUES",
            run.len(),
            8,
            1,
            "ON CONFLICT (outbox, status) DO NOTHING RETURNING outbox, status",
        );
        let sql = batch::marks(tx, sql);
        let inserted: Vec<(i64, i64)> = super::on_backend!(tx, |conn| {
            let mut query = sqlx::query_as(sql);
            for row in run {
                query = query
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
                            .map_or("", |send| send.category.as_str()),
                    );
            }
            query.fetch_all(conn).await
        })?;
        fresh.extend(
            run.iter()
                .filter(|row| inserted.contains(&(row.outbox.raw(), row.status.code()))),
        );
    }
    Ok(fresh)
}

struct Move {
    outbox: i64,
    receipt: i64,
    error: i64,
    wamid: String,
}

fn fold(fresh: &[&ReceiptRow], known: &BTreeMap<i64, Send>, applied: &mut Applied) -> Vec<Move> {
    let mut moves: BTreeMap<i64, Move> = BTreeMap::new();
    for row in fresh {
        let id = row.outbox.raw();
        let now = moves
            .get(&id)
            .map_or_else(|| known[&id].receipt, |earlier| earlier.receipt);
        let next = ReceiptStatus::from_code(now)
            .map_or(row.status, |status| status.after(row.status))
            .code();
        applied.backward += usize::from(next == now);
        let error = if next == ReceiptStatus::Failed.code() {
            row.error
        } else {
            0
        };
        moves.insert(
            id,
            Move {
                outbox: id,
                receipt: next,
                error,
                wamid: row.wamid.clone(),
            },
        );
    }
    moves.into_values().collect()
}

/// 131050 is the person's own stop of marketing (`whatsapp-cloud-api.md` §7.3). To be called before conversations and
/// outbox rows are locked: consent comes first (see `claims`).
pub async fn stop_marketing_all_tenants(
    tx: &mut Tx,
    rows: &[ReceiptRow],
    now: Timestamp,
) -> Result<()> {
    for row in failed_with(rows, 131_050) {
        let contact: Option<i64> = super::on_backend!(tx, |conn| {
            sqlx::query_scalar("SELECT contact FROM outbox WHERE id = $1 AND tenant = $2")
                .bind(row.outbox.raw())
                .bind(row.tenant.raw())
                .fetch_optional(conn)
                .await
        })?;
        if let Some(contact) = contact.map(ContactId::from_raw) {
            people::stop_marketing(tx, row.tenant, contact, now).await?;
        }
    }
    Ok(())
}

/// 131047 closes the window (`whatsapp-cloud-api.md` §7.3).
pub async fn close_windows_all_tenants(
    tx: &mut Tx,
    rows: &[ReceiptRow],
    now: Timestamp,
) -> Result<()> {
    for row in failed_with(rows, 131_047) {
        super::execute!(
            tx,
            sqlx::query(
                "UPDATE conversation SET closed_by_meta_at = $3 WHERE tenant = $2
                    AND id = (SELECT conversation FROM outbox WHERE id = $1 AND tenant = $2)"
            )
            .bind(row.outbox.raw())
            .bind(row.tenant.raw())
            .bind(now.millis())
        )?;
    }
    Ok(())
}

fn failed_with(rows: &[ReceiptRow], error: i64) -> impl Iterator<Item = &ReceiptRow> {
    rows.iter()
        .filter(move |row| row.status == ReceiptStatus::Failed && row.error == error)
}

async fn store(tx: &mut Tx, moves: &[Move], now: Timestamp) -> Result<()> {
    for run in batch::runs(moves) {
        let sql = batch::values(
            "UPDATE outbox SET receipt = v.column2, error = v.column3, wamid = v.column4,
                changed_at = CASE WHEN state IN (1, 3) THEN v.column5 ELSE changed_at END,
                state = CASE WHEN state IN (1, 3) THEN 2 ELSE state END
             FROM (VALUES",
            run.len(),
            5,
            1,
            ") AS v WHERE outbox.id = v.column1",
        );
        execute_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.outbox)
                .bind(row.receipt)
                .bind(row.error)
                .bind(&row.wamid)
                .bind(now.millis())
        })?;
    }
    Ok(())
}
