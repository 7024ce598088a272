//! Keys whose signatures of uploads are believed. The operator's.

mod add;
mod list;
mod revoke;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::moment::Moment;
use crate::storage::plugin_trust::SigningKey;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, add::add))
        .routes(routes!(revoke::revoke))
}

/// A key whose signatures are believed, or were.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginKey)]
struct KeyView {
    name: String,
    /// Ed25519: 32 bytes in base64.
    public_key: String,
    added_at: Moment,
    revoked_at: Option<Moment>,
}

fn view(key: &SigningKey) -> KeyView {
    KeyView {
        name: key.name.clone(),
        public_key: STANDARD.encode(&key.public_key),
        added_at: Moment(key.created_at),
        revoked_at: key.revoked_at.map(Moment),
    }
}
