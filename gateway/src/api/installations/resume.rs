//! `POST /installations/{installation}/resume`

use super::super::etag::Tagged;
use super::super::guard::Caller;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{InstallationView, tagged};
use crate::domain::InstallationId;
use crate::tenants::installations;

/// Let a paused installation run again
#[utoipa::path(
    post, path = "/installations/{installation}/resume", operation_id = "installations.resume", tag = "plugins",
    params(("installation" = InstallationId, Path), TenantParam),
    responses((status = 200, description = "It runs", body = InstallationView)),
)]
pub(super) async fn resume(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<InstallationId>,
) -> Answer<Tagged<InstallationView>> {
    let installation = installations::resume(&api.acting(&caller), tenant, id).await?;
    Ok(tagged(&installation))
}
