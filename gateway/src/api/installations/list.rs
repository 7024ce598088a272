//! `GET /installations`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use super::{InstallationView, view};
use crate::tenants::installations;

/// A tenant's installations
///
/// Oldest first.
#[utoipa::path(
    get, path = "/installations", operation_id = "installations.list", tag = "plugins",
    params(TenantParam, PageParams),
    responses((status = 200, description = "A page", body = Paged<InstallationView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    page: Page,
) -> Answer<Json<Paged<InstallationView>>> {
    let rows = installations::page(&api.setup, tenant, page.after(), page.most()).await?;
    Ok(Json(page.of(rows, |row| row.id.raw(), |row| view(&row))))
}
