//! `DELETE /holds/{hold}`

use http::StatusCode;

use super::super::guard::Caller;
use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::OF_TENANT;
use crate::domain::HoldId;
use crate::tenants::holds;

/// Lift a hold
///
/// What it refused stays refused. A tenant lifts its own; one of the operator's or the gateway's is the operator's to lift.
#[utoipa::path(
    delete, path = "/holds/{hold}", operation_id = "holds.lift", tag = "holds",
    params(("hold" = HoldId, Path), TenantParam),
    responses((status = 204, description = "Lifted")),
)]
pub(super) async fn lift(
    axum::extract::State(api): State,
    caller: Caller,
    Realm(realm): Realm,
    ObjectId(id): ObjectId<HoldId>,
) -> Answer<StatusCode> {
    let hold = holds::find_one(&api.setup, realm, id).await?;
    let own = holds::realm(&hold.held) == caller.principal.realm;
    let may = caller.principal.is_operator() || own && hold.placed_by.starts_with(OF_TENANT);
    if !may {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "not_yours_to_lift",
            "this hold was not placed by your tenant: ask the operator",
        ));
    }
    holds::lift(&api.acting(&caller), id).await?;
    Ok(StatusCode::NO_CONTENT)
}
