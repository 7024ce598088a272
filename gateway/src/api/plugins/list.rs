//! `GET /plugins`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{Realm, TenantParam};
use super::super::{Answer, State};
use super::{PluginView, view};
use crate::tenants::installations;

/// Uploads that a tenant can install
///
/// Its own and those that the operator gave to all, oldest first.
#[utoipa::path(
    get, path = "/plugins", operation_id = "plugins.list", tag = "plugins",
    params(TenantParam, PageParams),
    responses((status = 200, description = "A page", body = Paged<PluginView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    Realm(realm): Realm,
    page: Page,
) -> Answer<Json<Paged<PluginView>>> {
    let rows = installations::page_of_uploads(&api.setup, realm, page.after(), page.most()).await?;
    Ok(Json(page.of(
        rows,
        |row| row.component.upload,
        |row| view(&row, realm),
    )))
}
