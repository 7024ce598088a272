//! Jobs: long work, looked at, stopped, let go on.

mod cancel;
mod get;
mod list;
mod rejects;
mod resume;

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::moment::Moment;
use super::{Api, ROOT};
use crate::domain::JobId;
use crate::replay::ReplayJob;
use crate::replay::job::without_words;
use crate::storage::jobs::Job;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(get::get))
        .routes(routes!(cancel::cancel))
        .routes(routes!(resume::resume))
        .routes(routes!(rejects::rejects))
}

/// Long work.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub(super) struct JobView {
    id: JobId,
    kind: String,
    /// `queued`, `running`, `done`, `failed` or `cancelled`.
    state: &'static str,
    /// Items looked at, those that were rejected too.
    done: i64,
    /// `null`: not known.
    total: Option<i64>,
    rejected: i64,
    /// What came of it, when it is done.
    #[schema(value_type = Object)]
    result: Value,
    /// Why it failed.
    problem: Option<String>,
    created_by: String,
    created_at: Moment,
    changed_at: Moment,
    ended_at: Option<Moment>,
}

/// As everybody who may see jobs sees one.
fn view(job: &Job) -> JobView {
    let mut view = whole(job);
    if job.kind == ReplayJob::NAME {
        without_words(&mut view.result);
    }
    view
}

/// With all that came of it.
fn whole(job: &Job) -> JobView {
    JobView {
        id: job.id,
        kind: job.kind.clone(),
        state: job.state.text(),
        done: job.done,
        total: job.total,
        rejected: job.rejected,
        result: serde_json::from_str(&job.result).unwrap_or(Value::Null),
        problem: (!job.problem.is_empty()).then(|| job.problem.clone()),
        created_by: job.created_by.clone(),
        created_at: Moment(job.created_at),
        changed_at: Moment(job.changed_at),
        ended_at: job.ended_at.map(Moment),
    }
}

/// The answer of a resource that has queued a job: 202, and where to look.
pub(super) fn accepted(job: &Job) -> Response {
    let mut response = (StatusCode::ACCEPTED, Json(view(job))).into_response();
    if let Ok(place) = HeaderValue::from_str(&format!("{ROOT}/jobs/{}", job.id)) {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}
