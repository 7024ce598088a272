//! `GET /plugins/{plugin}`

use axum::Json;

use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{PluginView, view};
use crate::domain::InstallationId;
use crate::tenants::installations;

/// One plugin in service
#[utoipa::path(
    get, path = "/plugins/{plugin}", operation_id = "plugins.get", tag = "plugins",
    params(("plugin" = InstallationId, Path), TenantParam),
    responses((status = 200, description = "The plugin", body = PluginView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<InstallationId>,
) -> Answer<Json<PluginView>> {
    Ok(Json(view(
        &installations::find_one(&api.setup, tenant, id).await?,
    )))
}
