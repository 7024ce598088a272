//! `GET /credentials/{credential}`

use axum::Json;

use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{CredentialView, view};
use crate::domain::CredentialId;
use crate::tenants::credentials;

/// One credential
#[utoipa::path(
    get, path = "/credentials/{credential}", operation_id = "credentials.get", tag = "credentials",
    params(("credential" = CredentialId, Path), TenantParam),
    responses((status = 200, description = "The credential, without its token", body = CredentialView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<CredentialId>,
) -> Answer<Json<CredentialView>> {
    Ok(Json(view(
        &credentials::find_one(&api.setup, tenant, id).await?,
    )))
}
