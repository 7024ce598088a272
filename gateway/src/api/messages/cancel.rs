//! `POST /messages/{message}/cancel`

use axum::Json;
use http::StatusCode;
use serde_json::json;

use super::super::guard::Caller;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{MessageView, receipts, view};
use crate::domain::{OutboxId, OutboxState};
use crate::storage::outbox::{self, Move};

/// Withdraw a message that is queued
///
/// One that is on its way, or done, stays as it is: 409 says where it stands.
#[utoipa::path(
    post, path = "/messages/{message}/cancel", operation_id = "messages.cancel", tag = "messages",
    params(("message" = OutboxId, Path), TenantParam),
    responses((status = 200, description = "Withdrawn", body = MessageView)),
)]
pub(super) async fn cancel(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<OutboxId>,
) -> Answer<Json<MessageView>> {
    let setup = api.acting(&caller);
    let none = || Problem::no_such("message", &id.to_string());
    let mut tx = setup.db.begin().await?;
    let row = outbox::find(&mut tx, tenant, id).await?.ok_or_else(none)?;
    // From wherever it waits by the time that this is written.
    let waiting = [OutboxState::Queued, OutboxState::Deferred];
    let change = |from| Move {
        from,
        reason: "cancelled".to_owned(),
        ..Move::of(&row, OutboxState::Cancelled)
    };
    let changes = waiting.map(change);
    let moved = outbox::move_all_tenants(&mut tx, &changes[..1], setup.clock.now()).await?;
    let moved = match moved.is_empty() {
        true => outbox::move_all_tenants(&mut tx, &changes[1..], setup.clock.now()).await?,
        false => moved,
    };
    let row = outbox::find(&mut tx, tenant, id).await?.ok_or_else(none)?;
    if moved.is_empty() {
        let detail = format!("the message is {}", row.state.word());
        return Err(Problem::new(StatusCode::CONFLICT, "not_queued", detail));
    }
    let receipts = receipts(&mut tx, tenant, [&row]).await?;
    let became = Some(json!({"state": "cancelled"}));
    setup
        .record(&mut tx, tenant, "message.cancel", id, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(Json(view(&row, &receipts)))
}
