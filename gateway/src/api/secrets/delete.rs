//! `DELETE /secrets/{secret}`

use http::StatusCode;

use super::super::guard::Caller;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use crate::tenants::secrets;

/// Remove a secret
///
/// Requests of plugins that name it are refused from then on.
#[utoipa::path(
    delete, path = "/secrets/{secret}", operation_id = "secrets.delete", tag = "plugins",
    params(("secret" = String, Path, description = "Its name"), TenantParam),
    responses((status = 204, description = "Removed")),
)]
pub(super) async fn delete(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(name): ObjectId<String>,
) -> Answer<StatusCode> {
    secrets::remove(&api.acting(&caller), tenant, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
