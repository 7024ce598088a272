//! Secrets that the gateway writes into plugins' requests: written, replaced, never shown.

mod delete;
mod list;
mod put;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::moment::Moment;
use crate::storage::secrets::StoredSecret;
use crate::tenants::secrets::bound_to;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, put::put))
        .routes(routes!(delete::delete))
}

/// A secret's name and where it may go, without its value.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Secret)]
struct SecretView {
    name: String,
    /// Exact, or `*.` and a name. Empty: every host that a plugin with the grant may ask.
    hosts: Vec<String>,
    created_at: Moment,
    /// When its value was given last.
    changed_at: Moment,
}

fn view(secret: &StoredSecret) -> SecretView {
    SecretView {
        name: secret.name.clone(),
        hosts: bound_to(secret),
        created_at: Moment(secret.created_at),
        changed_at: Moment(secret.changed_at),
    }
}
