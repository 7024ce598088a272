//! `GET /users`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{Realm, TenantParam};
use super::super::{Answer, State};
use super::{UserView, view};
use crate::access::users;

/// People of a tenant
///
/// Oldest first. The operator sees their own people, or a tenant's with `tenant`.
#[utoipa::path(
    get, path = "/users", operation_id = "users.list", tag = "users",
    params(TenantParam, PageParams),
    responses((status = 200, description = "A page", body = Paged<UserView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    Realm(realm): Realm,
    page: Page,
) -> Answer<Json<Paged<UserView>>> {
    let rows = users::list(&api.setup, realm, page.after(), page.most()).await?;
    Ok(Json(page.of(rows, |row| row.id.raw(), |row| view(&row))))
}
