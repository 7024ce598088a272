//! `PATCH /tenants/{tenant}`

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::etag::{IfMatch, Tagged};
use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::ObjectId;
use super::super::{Answer, State};
use super::get::own;
use super::{TenantView, check_settings, tagged};
use crate::domain::TenantId;
use crate::tenants::set_tenant_if;

/// What is to be changed of a tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantChange {
    /// All of its settings: what is left out has its default again.
    #[schema(value_type = Object)]
    settings: Value,
}

/// Replace a tenant's settings
#[utoipa::path(
    patch, path = "/tenants/{tenant}", operation_id = "tenants.update", tag = "tenants",
    params(("tenant" = TenantId, Path), ("If-Match" = String, Header, description = "The ETag that was read, or `*`")),
    request_body = TenantChange,
    responses((status = 200, description = "Changed", body = TenantView)),
)]
pub(super) async fn update(
    axum::extract::State(api): State,
    caller: Caller,
    ObjectId(id): ObjectId<TenantId>,
    IfMatch(expected): IfMatch,
    Input(change): Input<TenantChange>,
) -> Answer<Tagged<TenantView>> {
    own(&caller, id)?;
    let settings = check_settings(&change.settings)?;
    let setup = api.acting(&caller);
    let tenant = set_tenant_if(&setup, &id.to_string(), &settings, &expected).await?;
    Ok(tagged(&tenant))
}
