//! `POST /jobs/{job}/cancel`

use axum::Json;

use super::super::guard::Caller;
use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::{Answer, State};
use super::{JobView, view};
use crate::domain::JobId;
use crate::jobs;

/// Stop a job
///
/// It stops before its next step; what it has done stays. One that is over stays as it is.
#[utoipa::path(
    post, path = "/jobs/{job}/cancel", operation_id = "jobs.cancel", tag = "jobs",
    params(("job" = JobId, Path), TenantParam),
    responses((status = 200, description = "The job", body = JobView)),
)]
pub(super) async fn cancel(
    axum::extract::State(api): State,
    caller: Caller,
    Realm(realm): Realm,
    ObjectId(id): ObjectId<JobId>,
) -> Answer<Json<JobView>> {
    let job = jobs::cancel(&api.acting(&caller), realm, id).await?;
    api.wake_jobs(&caller);
    Ok(Json(view(&job)))
}
