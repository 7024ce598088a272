//! `GET /jobs/{job}`

use axum::Json;

use super::super::guard::Caller;
use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::{Answer, State, permissions};
use super::{JobView, view, whole};
use crate::domain::JobId;
use crate::jobs;

/// One job
#[utoipa::path(
    get, path = "/jobs/{job}", operation_id = "jobs.get", tag = "jobs",
    params(("job" = JobId, Path), TenantParam),
    responses((status = 200, description = "The job and how far it got", body = JobView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    caller: Caller,
    Realm(realm): Realm,
    ObjectId(id): ObjectId<JobId>,
) -> Answer<Json<JobView>> {
    let job = jobs::find(&api.setup, realm, id).await?;
    let sees_words = permissions::allows("conversations.history", &caller.principal);
    Ok(Json(if sees_words { whole(&job) } else { view(&job) }))
}
