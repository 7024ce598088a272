//! `GET /plugins`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use super::{PluginView, view};
use crate::tenants::installations;

/// A tenant's plugins in service
///
/// Oldest installation first.
#[utoipa::path(
    get, path = "/plugins", operation_id = "plugins.list", tag = "plugins",
    params(TenantParam, PageParams),
    responses((status = 200, description = "A page", body = Paged<PluginView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    page: Page,
) -> Answer<Json<Paged<PluginView>>> {
    let rows = installations::page(&api.setup, tenant, page.after(), page.most()).await?;
    Ok(Json(page.of(rows, |row| row.id.raw(), |row| view(&row))))
}
