//! `GET /tenants`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::{Answer, State, tenants as resource};
use super::TenantView;
use crate::tenants;

/// Every tenant
///
/// Oldest first.
#[utoipa::path(
    get, path = "/tenants", operation_id = "tenants.list", tag = "tenants",
    params(PageParams),
    responses((status = 200, description = "A page", body = Paged<TenantView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    page: Page,
) -> Answer<Json<Paged<TenantView>>> {
    let rows = tenants::page_of_tenants(&api.setup, page.after(), page.most()).await?;
    let paged = page.of(
        rows,
        |tenant| tenant.id.raw(),
        |tenant| resource::view(&tenant),
    );
    Ok(Json(paged))
}
