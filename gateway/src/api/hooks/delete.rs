//! `DELETE /hooks/{hook}`

use http::StatusCode;

use super::super::guard::Caller;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use crate::domain::HookId;

/// Remove an endpoint, with its dead letters
#[utoipa::path(
    delete, path = "/hooks/{hook}", operation_id = "hooks.delete", tag = "hooks",
    params(("hook" = HookId, Path), TenantParam),
    responses((status = 204, description = "Removed")),
)]
pub(super) async fn delete(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<HookId>,
) -> Answer<StatusCode> {
    let setup = api.acting(&caller);
    api.endpoints.remove(&setup, tenant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
