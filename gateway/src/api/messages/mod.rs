//! Messages out: what is queued, in doubt, sent; looked at and withdrawn. To write one: `conversations/say.rs`.

mod cancel;
mod get;
mod list;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use get::may_use;

use super::moment::Moment;
use super::{Answer, Api};
use crate::domain::{
    ContactId, ConversationId, NumberId, OutboxId, OutboxState, ReceiptStatus, TenantId,
};
use crate::storage::Tx;
use crate::storage::outbox::OutboxRow;
use crate::storage::receipts::{self, KeptReceipt};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(get::get))
        .routes(routes!(cancel::cancel))
}

/// A message out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub(super) struct MessageView {
    id: OutboxId,
    conversation: ConversationId,
    contact: ContactId,
    number: NumberId,
    /// `queued`, `deferred` (waits until `due_at`), `claimed` (on its way), `accepted` (Meta took it), `unknown` (no answer came), `refused`, `failed`,
    /// `cancelled`.
    state: String,
    /// While it is `queued` or `deferred`: not before.
    due_at: Option<Moment>,
    /// How far it got: `sent`, `delivered`, `read`, `played`, `failed`; `null`: nothing is known yet.
    receipt: Option<String>,
    /// What Meta told of it, in order of progress.
    receipts: Vec<ReceiptView>,
    /// To whom it goes or went: `phone` or `bsuid`.
    #[schema(value_type = Object)]
    recipient: Value,
    /// Meta's id of it.
    wamid: Option<String>,
    /// Meta's last error code.
    error: Option<i64>,
    /// Why it was refused, given up or put off.
    reason: Option<String>,
    /// Who wrote it.
    #[schema(value_type = Object)]
    sender: Value,
    /// `docs/messages.md` has the shapes.
    #[schema(value_type = Object)]
    content: Value,
    /// The message that it quotes.
    reply_to: Option<String>,
    /// Requests to Meta that were begun, and how many of them may have arrived without our knowing.
    attempts: u32,
    doubts: u32,
    created_at: Moment,
    changed_at: Moment,
}

/// One thing that Meta told of a message out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Receipt)]
struct ReceiptView {
    /// `sent`, `delivered`, `read`, `played`, `failed`.
    status: String,
    /// Meta's time.
    at: Moment,
    /// Meta's error code.
    error: Option<i64>,
    /// What Meta says that it costs, as it came.
    #[schema(value_type = Option<Object>)]
    pricing: Option<Value>,
}

fn receipt(row: &KeptReceipt) -> ReceiptView {
    ReceiptView {
        status: ReceiptStatus::from_code(row.status)
            .map_or("unknown", ReceiptStatus::word)
            .to_owned(),
        at: Moment(row.at),
        error: (row.error != 0).then_some(row.error),
        pricing: serde_json::from_str(&row.pricing).ok(),
    }
}

pub(super) type Receipts = HashMap<OutboxId, Vec<KeptReceipt>>;

/// Receipts are read with their messages: one question a page.
pub(super) async fn receipts(
    tx: &mut Tx,
    tenant: TenantId,
    rows: impl IntoIterator<Item = &OutboxRow>,
) -> Answer<Receipts> {
    let ids: Vec<i64> = rows.into_iter().map(|row| row.draft.id.raw()).collect();
    let mut found = Receipts::new();
    for row in receipts::of_sends(tx, tenant, &ids).await? {
        found.entry(row.outbox).or_default().push(row);
    }
    Ok(found)
}

pub(super) fn view(row: &OutboxRow, receipts: &Receipts) -> MessageView {
    let draft = &row.draft;
    MessageView {
        id: draft.id,
        conversation: draft.conversation,
        contact: draft.contact,
        number: draft.number,
        state: row.state.word().to_owned(),
        due_at: matches!(row.state, OutboxState::Queued | OutboxState::Deferred)
            .then_some(Moment(row.due_at)),
        receipt: row
            .receipt
            .map(|status: ReceiptStatus| status.word().to_owned()),
        receipts: receipts
            .get(&draft.id)
            .into_iter()
            .flatten()
            .map(receipt)
            .collect(),
        recipient: json!(draft.recipient),
        wamid: row.wamid.clone(),
        error: row.error,
        reason: (!row.reason.is_empty()).then(|| row.reason.clone()),
        sender: json!(draft.sender),
        content: json!(draft.content),
        reply_to: draft.reply_to.clone(),
        attempts: row.attempts,
        doubts: row.doubts,
        created_at: Moment(draft.created_at),
        changed_at: Moment(row.changed_at),
    }
}
