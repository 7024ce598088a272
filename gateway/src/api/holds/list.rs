//! `GET /holds`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{Realm, TenantParam};
use super::super::{Answer, State};
use super::{HoldView, view};
use crate::tenants::holds;

/// Holds in force
///
/// Oldest first. A tenant sees those that bear on it; the operator sees all, or those of a tenant with `tenant`.
#[utoipa::path(
    get, path = "/holds", operation_id = "holds.list", tag = "holds",
    params(TenantParam, PageParams),
    responses((status = 200, description = "A page", body = Paged<HoldView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    Realm(realm): Realm,
    page: Page,
) -> Answer<Json<Paged<HoldView>>> {
    let rows = holds::page(&api.setup, realm, page.after(), page.most()).await?;
    Ok(Json(page.of(rows, |row| row.id.raw(), |row| view(&row))))
}
