//! `GET /roles`

use std::sync::Arc;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::page::Paged;
use super::permissions::RULES;
use crate::access::Role;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A role and what it may do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Role_)]
struct RoleView {
    role: Role,
    about: &'static str,
    /// Operations of this document.
    operations: Vec<&'static str>,
}

/// Every role
#[utoipa::path(
    get, path = "/roles", operation_id = "roles.list", tag = "keys",
    responses((status = 200, description = "Roles; there is one page", body = Paged<RoleView>)),
)]
async fn list() -> Json<Paged<RoleView>> {
    let may = |role: Role| RULES.iter().filter(move |rule| rule.roles.contains(&role));
    let view = |role: Role| RoleView {
        role,
        about: role.about(),
        operations: may(role).map(|rule| rule.operation).collect(),
    };
    Json(Paged {
        items: Role::ALL.map(view).into(),
        next_cursor: None,
    })
}
