//! `DELETE /numbers/{number}`

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::guard::Caller;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use crate::domain::NumberId;
use crate::tenants::removal;

/// How a number goes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DeleteParams {
    /// Withdraw what is queued for it first.
    #[serde(default)]
    cancel_queued: bool,
}

/// Disconnect a number
///
/// Nothing that comes for it is answered from then on. Refused with 409 while sends of it are queued, on their way or in
/// doubt, or while plugins are installed for it alone. Its conversations and messages stay readable, and so does the number
/// itself, with `removed_at`. Connected again for the same tenant it is the same number.
#[utoipa::path(
    delete, path = "/numbers/{number}", operation_id = "numbers.delete", tag = "numbers",
    params(("number" = NumberId, Path), DeleteParams, TenantParam),
    responses((status = 204, description = "Disconnected")),
)]
pub(super) async fn delete(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<NumberId>,
    params: Result<Query<DeleteParams>, QueryRejection>,
) -> Answer<StatusCode> {
    let wrong = |_| Problem::bad_parameter("cancel_queued", "must be true or false");
    let Query(params) = params.map_err(wrong)?;
    removal::number(&api.acting(&caller), tenant, id, params.cancel_queued).await?;
    Ok(StatusCode::NO_CONTENT)
}
