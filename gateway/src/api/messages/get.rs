//! `GET /messages/{message}`

use axum::Json;

use super::super::guard::Caller;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{MessageView, receipts, view};
use crate::access::{Principal, Scope};
use crate::domain::{NumberId, OutboxId};
use crate::storage::outbox;

/// One message out
#[utoipa::path(
    get, path = "/messages/{message}", operation_id = "messages.get", tag = "messages",
    params(("message" = OutboxId, Path), TenantParam),
    responses((status = 200, description = "The message", body = MessageView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<OutboxId>,
) -> Answer<Json<MessageView>> {
    let mut tx = api.setup.db.read().await?;
    let row = outbox::find(&mut tx, tenant, id).await?;
    let row = row.filter(|row| may_use(&caller.principal, row.draft.number));
    let row = row.ok_or_else(|| Problem::no_such("message", &id.to_string()))?;
    let receipts = receipts(&mut tx, tenant, [&row]).await?;
    Ok(Json(view(&row, &receipts)))
}

/// Is the number within what a narrow token is for? Keys with a role are for all.
pub(in crate::api) fn may_use(principal: &Principal, number: NumberId) -> bool {
    let scopes = principal.scopes();
    principal.role().is_some()
        || scopes.iter().any(|scope| match scope {
            Scope::Send(only) => only.is_none_or(|only| only == number),
            Scope::Event(_) => false,
        })
}
