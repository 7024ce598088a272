//! `GET /me`

use std::sync::Arc;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::guard::Caller;
use crate::access::{Role, Scope};
use crate::audit::OPERATOR;
use crate::domain::{ApiKeyId, TenantId, UserId};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(me))
}

/// What the key of this request is.
#[derive(Debug, Serialize, ToSchema)]
struct Me {
    key: ApiKeyId,
    name: String,
    /// `null` for the operator.
    tenant: Option<TenantId>,
    /// `null` for a narrow token.
    role: Option<Role>,
    scopes: Vec<Scope>,
    user: Option<UserId>,
}

/// What this key is
#[utoipa::path(
    get, path = "/me", operation_id = "me.get", tag = "keys",
    responses((status = 200, description = "The key of this request", body = Me)),
)]
async fn me(caller: Caller) -> Json<Me> {
    let principal = caller.principal;
    Json(Me {
        role: principal.role(),
        scopes: principal.scopes().to_vec(),
        key: principal.key,
        name: principal.name,
        tenant: (principal.realm != OPERATOR).then_some(principal.realm),
        user: principal.user,
    })
}
