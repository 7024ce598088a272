//! `GET /tenants/{tenant}`

use super::super::etag::Tagged;
use super::super::guard::Caller;
use super::super::place::ObjectId;
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{TenantView, tagged};
use crate::domain::TenantId;
use crate::tenants::find_tenant;

/// One tenant
///
/// A tenant's key sees its own only.
#[utoipa::path(
    get, path = "/tenants/{tenant}", operation_id = "tenants.get", tag = "tenants",
    params(("tenant" = TenantId, Path)),
    responses((status = 200, description = "The tenant, with its ETag", body = TenantView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    caller: Caller,
    ObjectId(id): ObjectId<TenantId>,
) -> Answer<Tagged<TenantView>> {
    own(&caller, id)?;
    let tenant = find_tenant(&api.setup, &id.to_string()).await?;
    Ok(tagged(&tenant))
}

/// The operator is about every tenant, everybody else about their own.
pub(super) fn own(caller: &Caller, id: TenantId) -> Answer<()> {
    let principal = &caller.principal;
    match principal.is_operator() || principal.realm == id {
        true => Ok(()),
        false => Err(Problem::no_such("tenant", &id.to_string())),
    }
}
