//! `GET /jobs`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{Realm, TenantParam};
use super::super::{Answer, State};
use super::{JobView, view};
use crate::jobs;

/// Jobs
///
/// Newest first. The operator sees their own, or a tenant's with `tenant`.
#[utoipa::path(
    get, path = "/jobs", operation_id = "jobs.list", tag = "jobs",
    params(TenantParam, PageParams),
    responses((status = 200, description = "A page", body = Paged<JobView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    Realm(realm): Realm,
    page: Page,
) -> Answer<Json<Paged<JobView>>> {
    let rows = jobs::page(&api.setup, realm, page.before(), page.most()).await?;
    Ok(Json(page.of(rows, |row| row.id.raw(), |row| view(&row))))
}
