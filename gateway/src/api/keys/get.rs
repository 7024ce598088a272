//! `GET /keys/{key}`

use axum::Json;

use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::{Answer, State};
use super::{KeyView, view};
use crate::access::keys;
use crate::domain::ApiKeyId;

/// One key
#[utoipa::path(
    get, path = "/keys/{key}", operation_id = "keys.get", tag = "keys",
    params(("key" = ApiKeyId, Path), TenantParam),
    responses((status = 200, description = "The key", body = KeyView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    Realm(realm): Realm,
    ObjectId(id): ObjectId<ApiKeyId>,
) -> Answer<Json<KeyView>> {
    Ok(Json(view(&keys::find(&api.setup, realm, id).await?)?))
}
