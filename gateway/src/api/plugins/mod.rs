//! Plugins that run for a tenant: uploaded, looked at, taken out of service. To stop what one says, place a hold on it.

mod get;
mod install;
mod list;
mod metrics;
mod remove;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::moment::Moment;
use crate::domain::{InstallationId, NumberId};
use crate::storage::installations::Installation;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, install::install))
        .routes(routes!(get::get, remove::remove))
        .routes(routes!(metrics::metrics))
}

/// A plugin in service.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Plugin)]
struct PluginView {
    id: InstallationId,
    /// `null`: for every number of the tenant.
    number: Option<NumberId>,
    plugin: String,
    version: String,
    /// SHA-256 of the component.
    digest: String,
    /// Plugins of a turn run in this order.
    position: i64,
    #[schema(value_type = Object)]
    settings: Value,
    grants: Vec<String>,
    installed_at: Moment,
}

fn view(installation: &Installation) -> PluginView {
    PluginView {
        id: installation.id,
        number: installation.number,
        plugin: installation.plugin.clone(),
        version: installation.plugin_version.clone(),
        digest: installation.digest.clone(),
        position: installation.position,
        settings: serde_json::from_str(&installation.config).unwrap_or(Value::Null),
        grants: serde_json::from_str(&installation.grants).unwrap_or_default(),
        installed_at: Moment(installation.created_at),
    }
}
