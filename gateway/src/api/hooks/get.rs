//! `GET /hooks/{hook}`

use super::super::etag::Tagged;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{HookView, tagged};
use crate::domain::HookId;

/// One endpoint
#[utoipa::path(
    get, path = "/hooks/{hook}", operation_id = "hooks.get", tag = "hooks",
    params(("hook" = HookId, Path), TenantParam),
    responses((status = 200, description = "The endpoint, with its ETag", body = HookView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<HookId>,
) -> Answer<Tagged<HookView>> {
    let hook = api.endpoints.get(&api.setup, tenant, id).await?;
    Ok(tagged(&hook))
}
