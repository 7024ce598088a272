//! `PUT /secrets`

use axum::Json;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, TenantParam};
use super::super::secret::Secret;
use super::super::{Answer, State};
use super::{SecretView, view};
use crate::tenants::secrets;

/// A secret, its value and where it may go.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSecret {
    /// Lower-case letters, digits, hyphens and underscores; unique within the tenant.
    #[schema(min_length = 1, max_length = 64)]
    name: String,
    /// At least 8 bytes, without spaces and line ends.
    value: Secret,
    /// Exact, or `*.` and a name of two parts or more. Empty: every host that a plugin with the grant may ask.
    #[serde(default)]
    #[schema(max_items = 16)]
    hosts: Vec<String>,
}

/// Give a secret of this name, or give it another value
///
/// The next request of a plugin has it. It cannot be read, so there is no ETag to match.
#[utoipa::path(
    put, path = "/secrets", operation_id = "secrets.put", tag = "plugins",
    params(TenantParam),
    request_body = NewSecret,
    responses((status = 200, description = "The secret, without its value", body = SecretView)),
)]
pub(super) async fn put(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Input(new): Input<NewSecret>,
) -> Answer<Json<SecretView>> {
    let setup = api.acting(&caller);
    let secret = secrets::put(&setup, tenant, &new.name, &new.value.0, &new.hosts).await?;
    Ok(Json(view(&secret)))
}
