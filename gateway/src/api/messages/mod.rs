//! Messages out: what is queued, in doubt, sent; looked at and withdrawn. To write one: `conversations/say.rs`.

mod cancel;
mod get;
mod list;

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use get::may_use;

use super::Api;
use super::moment::Moment;
use crate::domain::{ContactId, ConversationId, NumberId, OutboxId, ReceiptStatus};
use crate::storage::outbox::OutboxRow;

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
    /// `queued`, `claimed` (on its way), `accepted` (Meta took it), `unknown` (no answer came), `refused`, `failed`,
    /// `cancelled`.
    state: String,
    /// How far it got: `sent`, `delivered`, `read`, `played`, `failed`; `null`: nothing is known yet.
    receipt: Option<String>,
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

pub(super) fn view(row: &OutboxRow) -> MessageView {
    let draft = &row.draft;
    MessageView {
        id: draft.id,
        conversation: draft.conversation,
        contact: draft.contact,
        number: draft.number,
        state: row.state.word().to_owned(),
        receipt: row
            .receipt
            .map(|status: ReceiptStatus| status.word().to_owned()),
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
