//! `GET /keys`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{Realm, TenantParam};
use super::super::{Answer, State};
use super::{KeyView, view};
use crate::access::keys;

/// Keys of a tenant
///
/// Oldest first, those that are over too. The operator sees their own keys, or a tenant's with `tenant`.
#[utoipa::path(
    get, path = "/keys", operation_id = "keys.list", tag = "keys",
    params(TenantParam, PageParams),
    responses((status = 200, description = "A page", body = Paged<KeyView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    Realm(realm): Realm,
    page: Page,
) -> Answer<Json<Paged<KeyView>>> {
    let rows = keys::list(&api.setup, realm, page.after(), page.most()).await?;
    let Paged { items, next_cursor } = page.of(rows, |key| key.id.raw(), |key| view(&key));
    let items = items.into_iter().collect::<Answer<_>>()?;
    Ok(Json(Paged { items, next_cursor }))
}
