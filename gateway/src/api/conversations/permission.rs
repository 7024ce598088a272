//! `GET /conversations/{conversation}/permission`

use axum::Json;

use super::super::guard::Caller;
use super::super::permission::{PermissionView, view};
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{asked, problem};
use crate::domain::ConversationId;

/// What may be sent in a conversation now
///
/// In which forms, until when, at which of Meta's price classes, and what would be needed otherwise.
#[utoipa::path(
    get, path = "/conversations/{conversation}/permission", operation_id = "conversations.permission",
    tag = "conversations",
    params(("conversation" = ConversationId, Path), TenantParam),
    responses((status = 200, description = "What may be sent", body = PermissionView)),
)]
pub(super) async fn permission(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<ConversationId>,
) -> Answer<Json<PermissionView>> {
    let found = api.desk.permission(tenant, id).await;
    let found = found.map_err(|error| problem(error, &asked(&caller, tenant, id, None)))?;
    Ok(Json(view(&found)))
}
