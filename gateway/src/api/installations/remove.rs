//! `DELETE /installations/{installation}`

use http::StatusCode;

use super::super::guard::Caller;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use crate::domain::InstallationId;
use crate::tenants::installations;

/// Take a plugin out of service
///
/// A turn that is under way with it commits nothing of it. What it remembers (`kv`) stays for its next installation.
#[utoipa::path(
    delete, path = "/installations/{installation}", operation_id = "installations.remove", tag = "plugins",
    params(("installation" = InstallationId, Path), TenantParam),
    responses((status = 204, description = "Out of service")),
)]
pub(super) async fn remove(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<InstallationId>,
) -> Answer<StatusCode> {
    installations::remove(&api.acting(&caller), tenant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
