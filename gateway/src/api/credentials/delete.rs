//! `DELETE /credentials/{credential}`

use http::StatusCode;

use super::super::guard::Caller;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use crate::domain::CredentialId;
use crate::tenants::removal;

/// Remove an access token
///
/// Refused with 409 while numbers send with it.
#[utoipa::path(
    delete, path = "/credentials/{credential}", operation_id = "credentials.delete", tag = "credentials",
    params(("credential" = CredentialId, Path), TenantParam),
    responses((status = 204, description = "Removed")),
)]
pub(super) async fn delete(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<CredentialId>,
) -> Answer<StatusCode> {
    removal::credential(&api.acting(&caller), tenant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
