//! `GET /jobs/{job}`

use axum::Json;

use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::{Answer, State};
use super::{JobView, view};
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
    Realm(realm): Realm,
    ObjectId(id): ObjectId<JobId>,
) -> Answer<Json<JobView>> {
    Ok(Json(view(&jobs::find(&api.setup, realm, id).await?)))
}
