//! `POST /credentials`

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, TenantParam};
use super::super::secret::Secret;
use super::super::{Answer, State};
use super::{CredentialView, view};
use crate::tenants::credentials;

/// A new credential.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCredential {
    /// What people call it; unique within the tenant.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// A system user's access token.
    token: Secret,
}

/// Add an access token
#[utoipa::path(
    post, path = "/credentials", operation_id = "credentials.create", tag = "credentials",
    params(TenantParam),
    request_body = NewCredential,
    responses((status = 201, description = "Added", body = CredentialView)),
)]
pub(super) async fn create(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Input(new): Input<NewCredential>,
) -> Answer<Response> {
    let setup = api.acting(&caller);
    let name = tenant.to_string();
    let credential = credentials::put(&setup, &name, &new.name, &new.token.0, false).await?;
    Ok((StatusCode::CREATED, Json(view(&credential))).into_response())
}
