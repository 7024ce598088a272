//! A person's messages, both ways, conversation by conversation, the newest first: as far back as retention keeps them.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::domain::{ContactId, ReceiptStatus, TenantId};
use crate::storage::events::EventKind;
use crate::storage::history::{self, InboundEntry};
use crate::storage::outbox::{self, OutboxRow};
use crate::storage::receipts::{self, KeptReceipt};
use crate::storage::{Result, Tx, conversations, person};

/// Some messages, and the conversation and entry that the next ones begin at.
pub(super) struct Page {
    pub messages: Vec<Value>,
    pub next: Option<(i64, i64)>,
}

/// At most `most` entries of the conversation of this id or the next one, from `entry` backwards (0: from its newest).
pub(super) async fn page(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
    (talk, entry): (i64, i64),
    most: i64,
) -> Result<Page> {
    let mut talks = Vec::new();
    for one in person::all_of(tx, tenant, contact).await? {
        talks.extend(person::conversations(tx, tenant, one).await?);
    }
    talks.sort_unstable();
    let mut left = talks.into_iter().filter(|id| *id >= talk);
    let (Some(now), after) = (left.next(), left.next()) else {
        return Ok(Page {
            messages: Vec::new(),
            next: None,
        });
    };
    let newest = match entry {
        0 => conversations::newest_entry(tx, tenant, now).await?,
        // Somebody who was erased meanwhile has no conversation to go on in.
        entry => (now == talk).then_some(entry),
    };
    let most = usize::try_from(most).unwrap_or_default();
    let (ids, more) = history::walk(tx, tenant, newest.unwrap_or_default(), most).await?;
    let next = match more {
        0 => after.map(|next| (next, 0)),
        more => Some((now, more)),
    };
    Ok(Page {
        messages: read(tx, tenant, &ids).await?,
        next,
    })
}

/// These entries in their order; changes of owner are no messages.
async fn read(tx: &mut Tx, tenant: TenantId, ids: &[i64]) -> Result<Vec<Value>> {
    let inbound = history::inbound(tx, tenant, ids).await?;
    let sends = outbox::by_ids(tx, tenant, ids).await?;
    let sent: Vec<i64> = sends.iter().map(|row| row.draft.id.raw()).collect();
    let kept = receipts::of_sends(tx, tenant, &sent).await?;
    let received = inbound.iter().map(|row| (row.id.raw(), heard(row)));
    let mut shown: HashMap<i64, Value> = received
        .chain(
            sends
                .iter()
                .map(|row| (row.draft.id.raw(), said(row, &kept))),
        )
        .collect();
    Ok(ids.iter().filter_map(|id| shown.remove(id)).collect())
}

/// What they wrote. Media are named by their ids, kinds and hashes; the files are not ours to keep.
fn heard(row: &InboundEntry) -> Value {
    let kind = match EventKind::from_code(row.kind) {
        Some(EventKind::Message) => "message",
        Some(EventKind::Stale) => "late",
        _ => "notice",
    };
    json!({
        "direction": "in", "id": row.id, "wamid": row.wamid, "conversation": row.conversation, "number": row.number,
        "at": row.at.to_string(), "kind": kind,
        "content": serde_json::from_str::<Value>(&row.content).unwrap_or_default(),
    })
}

fn said(row: &OutboxRow, receipts: &[KeptReceipt]) -> Value {
    let draft = &row.draft;
    let own = receipts
        .iter()
        .filter(|receipt| receipt.outbox == draft.id)
        .map(|receipt| {
            let status = ReceiptStatus::from_code(receipt.status);
            json!({"status": status.map(ReceiptStatus::word), "at": receipt.at.to_string()})
        });
    json!({
        "direction": "out", "id": draft.id, "wamid": row.wamid, "conversation": draft.conversation, "number": draft.number,
        "at": draft.created_at.to_string(), "kind": draft.class, "state": row.state.word(), "reason": row.reason,
        "error": row.error, "receipts": own.collect::<Vec<_>>(), "sender": draft.sender, "content": draft.content,
    })
}
