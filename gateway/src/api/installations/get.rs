//! `GET /installations/{installation}`

use super::super::etag::Tagged;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{InstallationView, tagged};
use crate::domain::InstallationId;
use crate::tenants::installations;

/// One installation
#[utoipa::path(
    get, path = "/installations/{installation}", operation_id = "installations.get", tag = "plugins",
    params(("installation" = InstallationId, Path), TenantParam),
    responses((status = 200, description = "The installation", body = InstallationView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<InstallationId>,
) -> Answer<Tagged<InstallationView>> {
    let installation = installations::find_one(&api.setup, tenant, id).await?;
    Ok(tagged(&installation))
}
