//! `POST /jobs/{job}/resume`

use axum::Json;

use super::super::guard::Caller;
use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::{Answer, State};
use super::{JobView, view};
use crate::domain::JobId;
use crate::jobs;

/// Let a job go on
///
/// One that failed or was cancelled goes on where it stood.
#[utoipa::path(
    post, path = "/jobs/{job}/resume", operation_id = "jobs.resume", tag = "jobs",
    params(("job" = JobId, Path), TenantParam),
    responses((status = 200, description = "The job", body = JobView)),
)]
pub(super) async fn resume(
    axum::extract::State(api): State,
    caller: Caller,
    Realm(realm): Realm,
    ObjectId(id): ObjectId<JobId>,
) -> Answer<Json<JobView>> {
    let job = jobs::resume(&api.acting(&caller), realm, id).await?;
    api.wake_jobs(&caller);
    Ok(Json(view(&job)))
}
