//! `POST /templates/sync`

use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;

use super::super::guard::Caller;
use super::super::jobs::{JobView, accepted};
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use crate::templates::change::account;
use crate::templates::sync::begin;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    account: Option<String>,
}

/// Read an account's templates from Meta
///
/// A job does it. One that is under way is answered instead of a second.
#[utoipa::path(
    post, path = "/templates/sync", operation_id = "templates.sync", tag = "templates",
    params(TenantParam, ("account" = Option<String>, Query, description = "The WhatsApp account; left out: the only one there is")),
    responses((status = 202, description = "A job does it: Location says where to look", body = JobView)),
)]
pub(super) async fn sync(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Query(wanted): Query<Wanted>,
) -> Answer<Response> {
    let setup = api.acting(&caller);
    let account = account(&setup, tenant, wanted.account.as_deref()).await?;
    let next = setup.clock.now().plus(api.templates_every);
    let job = begin(&setup, tenant, &account, next).await?;
    api.wake_jobs(&caller);
    Ok(accepted(&job))
}
