//! The go-live checklist: what must be so before customers meet a tenant.

mod attest;
mod get;
mod of_tenant;
mod withdraw;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(get::get))
        .routes(routes!(of_tenant::of_tenant))
        .routes(routes!(attest::attest))
        .routes(routes!(withdraw::withdraw))
}
