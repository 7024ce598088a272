//! `GET /tenants/{tenant}/checklist`

use axum::Json;

use super::super::guard::Caller;
use super::super::place::ObjectId;
use super::super::problem::Problem;
use super::super::{Answer, State};
use crate::checklist::{self, Checklist};
use crate::domain::TenantId;

/// Is everything of a tenant ready to go live?
///
/// The same as `/checklist`, by the tenant's id.
#[utoipa::path(
    get, path = "/tenants/{tenant}/checklist", operation_id = "tenants.checklist", tag = "tenants",
    params(("tenant" = TenantId, Path)),
    responses((status = 200, description = "The list", body = Checklist)),
)]
pub(super) async fn of_tenant(
    axum::extract::State(api): State,
    caller: Caller,
    ObjectId(id): ObjectId<TenantId>,
) -> Answer<Json<Checklist>> {
    let principal = &caller.principal;
    if !principal.is_operator() && principal.realm != id {
        return Err(Problem::no_such("tenant", &id.to_string()));
    }
    Ok(Json(checklist::of(&api.setup, id).await?))
}
