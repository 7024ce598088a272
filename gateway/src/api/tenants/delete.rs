//! `DELETE /tenants/{tenant}`

use axum::response::Response;

use super::super::guard::Caller;
use super::super::jobs::{self, JobView};
use super::super::place::ObjectId;
use super::super::{Answer, State};
use crate::domain::TenantId;
use crate::tenants::removal;

/// Remove a tenant
///
/// Refused with 409 while it has numbers, credentials, plugins, hooks or jobs that are not over. Its keys are refused at
/// once; a job of the operator's forgets its people. What grows with traffic goes with retention.
#[utoipa::path(
    delete, path = "/tenants/{tenant}", operation_id = "tenants.delete", tag = "tenants",
    params(("tenant" = TenantId, Path)),
    responses((status = 202, description = "It is gone; the job that forgets its people", body = JobView)),
)]
pub(super) async fn delete(
    axum::extract::State(api): State,
    caller: Caller,
    ObjectId(id): ObjectId<TenantId>,
) -> Answer<Response> {
    let job = removal::tenant(&api.acting(&caller), &id.to_string()).await?;
    api.wake_jobs(&caller);
    Ok(jobs::accepted(&job))
}
