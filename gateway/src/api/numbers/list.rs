//! `GET /numbers`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use super::{NumberView, view};
use crate::tenants::numbers;

/// A tenant's numbers
///
/// Oldest first.
#[utoipa::path(
    get, path = "/numbers", operation_id = "numbers.list", tag = "numbers",
    params(TenantParam, PageParams),
    responses((status = 200, description = "A page", body = Paged<NumberView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    page: Page,
) -> Answer<Json<Paged<NumberView>>> {
    let rows = numbers::page(&api.setup, tenant, page.after(), page.most()).await?;
    Ok(Json(page.of(rows, |row| row.id.raw(), |row| view(&row))))
}
