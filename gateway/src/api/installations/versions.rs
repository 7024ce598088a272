//! `GET /installations/{installation}/versions`

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{VersionView, version_view};

use crate::domain::InstallationId;
use crate::tenants::installations;

/// Versions of an installation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PluginVersions {
    items: Vec<VersionView>,
}

/// Versions of an installation
///
/// The active one, the candidate, and the last ten that were retired, newest first: those can be rolled back to.
#[utoipa::path(
    get, path = "/installations/{installation}/versions", operation_id = "installations.versions", tag = "plugins",
    params(("installation" = InstallationId, Path), TenantParam),
    responses((status = 200, description = "The versions", body = PluginVersions)),
)]
pub(super) async fn versions(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<InstallationId>,
) -> Answer<Json<PluginVersions>> {
    let versions = installations::versions(&api.setup, tenant, id).await?;
    let items = versions.iter().map(version_view).collect();
    Ok(Json(PluginVersions { items }))
}
