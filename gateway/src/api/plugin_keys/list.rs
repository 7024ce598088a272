//! `GET /plugin-keys`

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::{Answer, State};
use super::{KeyView, view};
use crate::tenants::plugin_keys;

/// All keys.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PluginKeys {
    items: Vec<KeyView>,
}

/// Keys that sign uploads
///
/// All of them, those that are revoked too, by name.
#[utoipa::path(
    get, path = "/plugin-keys", operation_id = "plugin_keys.list", tag = "plugins",
    responses((status = 200, description = "The keys", body = PluginKeys)),
)]
pub(super) async fn list(axum::extract::State(api): State) -> Answer<Json<PluginKeys>> {
    let keys = plugin_keys::list(&api.setup).await?;
    let items = keys.iter().map(view).collect();
    Ok(Json(PluginKeys { items }))
}
