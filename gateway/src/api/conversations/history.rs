//! `GET /conversations/{conversation}/history`

use std::collections::HashMap;

use axum::Json;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::messages::{self, MessageView};
use super::super::moment::Moment;
use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::get::found;
use super::{OwnerView, owner};
use crate::domain::{ConversationId, EventId, InboundMessage};
use crate::events;
use crate::storage::conversations::{self, LoggedChange};
use crate::storage::events::EventKind;
use crate::storage::history::{self, InboundEntry};
use crate::storage::outbox;

/// An entry of a conversation's history: one of the three is there.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Entry {
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    inbound: Option<ReceivedView>,
    #[serde(rename = "out", skip_serializing_if = "Option::is_none")]
    outbound: Option<MessageView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<OwnerChangeView>,
}

/// The conversation got another owner.
#[derive(Debug, Serialize, ToSchema)]
struct OwnerChangeView {
    at: Moment,
    from: OwnerView,
    to: OwnerView,
    /// A stable word, as `take_over`, `assigned`, `plugin_hand_over`, `timeout`.
    reason: String,
    /// A person, a client, a plugin with its version, or the gateway.
    by: String,
    /// What the receiver should know.
    note: Option<String>,
    owner_version: i64,
}

/// A customer's message.
#[derive(Debug, Serialize, ToSchema)]
struct ReceivedView {
    id: EventId,
    /// Meta's id of it.
    wamid: String,
    /// `message`; `late` (more than 30 days old: nothing acted on it); `notice` (an edit, an echo, a call, another number:
    /// it starts no turn).
    kind: String,
    /// Its place among the customer's messages; 0: it has none.
    seq: i64,
    /// Meta's time.
    at: Moment,
    /// Typed content.
    #[schema(value_type = Object)]
    content: Value,
    /// What Meta sent, where we have no type for it, as long as it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    element: Option<Value>,
}

/// What was said, and who had it
///
/// The newest first: what the customer wrote, what was sent to them and changes of owner in one list, in the order in which
/// they were committed. It reaches back as far as retention keeps messages.
#[utoipa::path(
    get, path = "/conversations/{conversation}/history", operation_id = "conversations.history", tag = "conversations",
    params(("conversation" = ConversationId, Path), PageParams, TenantParam),
    responses((status = 200, description = "A page", body = Paged<Entry>)),
)]
pub(super) async fn history(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<ConversationId>,
    page: Page,
) -> Answer<Json<Paged<Entry>>> {
    let row = found(&api, tenant, id).await?;
    let mut tx = api.setup.db.read().await?;
    let most = usize::try_from(page.most()).unwrap_or_default();
    // A later page begins behind the last entry of the one before, which is walked over once more.
    let (begin, known) = match page.after {
        None => (row.last_entry, 0),
        Some(last) => (last, 1),
    };
    let (mut ids, _) = history::walk(&mut tx, tenant, begin, most + known).await?;
    ids.drain(..known.min(ids.len()));
    let received = history::inbound(&mut tx, tenant, &ids).await?;
    let untyped: Vec<InboundEntry> = received
        .iter()
        .filter(|row| is_untyped(row))
        .cloned()
        .collect();
    let mut elements = events::elements(&mut tx, &untyped).await?;
    let mut received: HashMap<i64, InboundEntry> = received
        .into_iter()
        .map(|row| (row.id.raw(), row))
        .collect();
    let sent = outbox::by_ids(&mut tx, tenant, &ids).await?;
    let mut sent: HashMap<i64, _> = sent
        .into_iter()
        .map(|row| (row.draft.id.raw(), row))
        .collect();
    let receipts = messages::receipts(&mut tx, tenant, sent.values()).await?;
    let changes = conversations::logged(&mut tx, tenant, &ids).await?;
    let mut changes: HashMap<i64, LoggedChange> =
        changes.into_iter().map(|row| (row.id, row)).collect();
    let show = |id: i64| Entry {
        inbound: received
            .remove(&id)
            .map(|row| shown(row, elements.remove(&id))),
        outbound: sent.remove(&id).map(|row| messages::view(&row, &receipts)),
        owner: changes.remove(&id).map(changed),
    };
    Ok(Json(page.of(ids, |id| *id, show)))
}

/// Of a type that came after this version of the gateway.
fn is_untyped(row: &InboundEntry) -> bool {
    let content: Option<InboundMessage> = serde_json::from_str(&row.content).ok();
    content.is_none_or(|message| message.content.is_untyped())
}

fn kind(row: &InboundEntry) -> &'static str {
    match EventKind::from_code(row.kind) {
        Some(EventKind::Message) => "message",
        Some(EventKind::Stale) => "late",
        _ => "notice",
    }
}

fn changed(row: LoggedChange) -> OwnerChangeView {
    OwnerChangeView {
        at: Moment(row.at),
        from: owner(&row.change.from),
        to: owner(&row.change.to),
        reason: row.change.reason,
        by: row.change.by,
        note: row.change.note,
        owner_version: row.owner_version,
    }
}

fn shown(row: InboundEntry, element: Option<Value>) -> ReceivedView {
    ReceivedView {
        id: row.id,
        kind: kind(&row).to_owned(),
        element,
        seq: row.seq,
        at: Moment(row.at),
        content: serde_json::from_str(&row.content).unwrap_or_default(),
        wamid: row.wamid,
    }
}
