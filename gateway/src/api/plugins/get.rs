//! `GET /plugins/{digest}`

use axum::Json;

use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::{Answer, State};
use super::{Digest, PluginView, view};
use crate::tenants::installations;

/// One upload
#[utoipa::path(
    get, path = "/plugins/{digest}", operation_id = "plugins.get", tag = "plugins",
    params(("digest" = String, Path, description = "SHA-256 of the component"), TenantParam),
    responses((status = 200, description = "The upload", body = PluginView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    Realm(realm): Realm,
    ObjectId(Digest(digest)): ObjectId<Digest>,
) -> Answer<Json<PluginView>> {
    let upload = installations::find_upload(&api.setup, realm, &digest).await?;
    Ok(Json(view(&upload, realm)))
}
