//! Uploads: components that can be installed, each known by its digest. A tenant's own, and those that the operator gave
//! to all.

mod allow;
mod get;
mod health;
mod list;
mod metrics;
mod stop;
mod upload;

use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::moment::Moment;
use crate::audit::OPERATOR;
use crate::domain::TenantId;
use crate::tenants::installations::Uploaded;

pub(super) use upload::{SIGNATURE, too_large};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, upload::upload))
        .routes(routes!(get::get))
        .routes(routes!(health::health))
        .routes(routes!(metrics::metrics))
        .routes(routes!(stop::stop, allow::allow))
}

/// SHA-256 of a component, 64 small hexadecimal digits.
struct Digest(String);

impl FromStr for Digest {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let hex = text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        (text.len() == 64 && hex)
            .then(|| Self(text.to_owned()))
            .ok_or(())
    }
}

/// An upload.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plugin)]
struct PluginView {
    /// SHA-256 of the component: what it is installed by.
    digest: String,
    plugin: String,
    version: String,
    description: String,
    /// The version of the plugin contract that it was built against.
    abi: String,
    /// What it is called for.
    hooks: Vec<String>,
    /// Grants that it asks for.
    asks_for: Vec<String>,
    /// Fuel and memory that it asks for.
    #[schema(value_type = Object)]
    limits: Value,
    /// JSON Schema of its settings.
    #[schema(value_type = Option<Object>)]
    settings_schema: Option<Value>,
    /// Versions with the same number understand each other's memory.
    state_schema: u32,
    /// Other numbers whose memory it understands, and whose versions understand its own.
    state_compatible: Vec<u32>,
    bytes: i64,
    /// The name of the key that signed it.
    signed_by: Option<String>,
    /// The operator gave it to every tenant.
    shared: bool,
    /// Then: the tenant that wrote it, and that sees how all of its installations do. Shown to the operator and to that
    /// tenant.
    author: Option<TenantId>,
    uploaded_at: Moment,
}

/// As whoever is about this realm may see it.
fn view(upload: &Uploaded, realm: TenantId) -> PluginView {
    let (component, manifest) = (&upload.component, &upload.manifest);
    let may_see = |author: &TenantId| realm == OPERATOR || realm == *author;
    PluginView {
        digest: component.digest.clone(),
        plugin: manifest.name.clone(),
        version: manifest.version.clone(),
        description: manifest.description.clone(),
        abi: manifest.abi.clone(),
        hooks: manifest.interfaces.clone(),
        asks_for: manifest.grants.iter().cloned().collect(),
        limits: serde_json::json!(manifest.limits),
        settings_schema: manifest.config_schema.clone(),
        state_schema: manifest.state_schema,
        state_compatible: manifest.state_compatible.iter().copied().collect(),
        bytes: component.bytes,
        signed_by: (!component.signed_by.is_empty()).then(|| component.signed_by.clone()),
        shared: component.tenant == OPERATOR,
        author: component.author.filter(may_see),
        uploaded_at: Moment(component.created_at),
    }
}
