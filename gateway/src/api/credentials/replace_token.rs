//! `PUT /credentials/{credential}/token`

use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::secret::Secret;
use super::super::{Answer, State};
use crate::domain::CredentialId;
use crate::tenants::credentials;

/// Another token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    token: Secret,
}

/// Replace a credential's token
///
/// Its numbers use the new one from their next send on. It cannot be read, so there is no ETag to match.
#[utoipa::path(
    put, path = "/credentials/{credential}/token", operation_id = "credentials.replace_token", tag = "credentials",
    params(("credential" = CredentialId, Path), TenantParam),
    request_body = NewToken,
    responses((status = 204, description = "Replaced")),
)]
pub(super) async fn replace_token(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<CredentialId>,
    Input(new): Input<NewToken>,
) -> Answer<StatusCode> {
    let setup = api.acting(&caller);
    let credential = credentials::find_one(&setup, tenant, id).await?;
    let tenant = tenant.to_string();
    credentials::add(&setup, &tenant, &credential.name, &new.token.0, true).await?;
    Ok(StatusCode::NO_CONTENT)
}
