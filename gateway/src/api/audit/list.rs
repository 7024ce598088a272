//! `GET /audit`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{Realm, TenantParam};
use super::super::{Answer, State};
use super::{EntryView, view};
use crate::storage::audit;

/// The audit log
///
/// Newest first. The operator sees what belongs to no tenant, or a tenant's log with `tenant`.
#[utoipa::path(
    get, path = "/audit", operation_id = "audit.list", tag = "audit",
    params(TenantParam, PageParams),
    responses((status = 200, description = "A page", body = Paged<EntryView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    Realm(realm): Realm,
    page: Page,
) -> Answer<Json<Paged<EntryView>>> {
    let mut tx = api.setup.db.read().await?;
    let rows = audit::entries(&mut tx, realm, page.before(), page.most()).await?;
    Ok(Json(page.of(rows, |row| row.id.raw(), |row| view(&row))))
}
