//! `GET /jobs/{job}/rejects`

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures::stream::try_unfold;
use serde_json::json;

use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::{Answer, Api, State};
use crate::domain::{JobId, TenantId};
use crate::jobs;
use crate::storage::StorageError;
use crate::storage::jobs::{Reject, rejects as read};

/// Rejects read at once.
const STEP: i64 = 500;

/// Download what a job could not take
///
/// One JSON object a line: `ordinal` (which item of the input), `reason`, `item`.
#[utoipa::path(
    get, path = "/jobs/{job}/rejects", operation_id = "jobs.rejects", tag = "jobs",
    params(("job" = JobId, Path), TenantParam),
    responses((status = 200, description = "All of them, in the order of the input", content_type = "application/x-ndjson", body = String)),
)]
pub(super) async fn rejects(
    axum::extract::State(api): State,
    Realm(realm): Realm,
    ObjectId(id): ObjectId<JobId>,
) -> Answer<Response> {
    let job = jobs::find(&api.setup, realm, id).await?;
    let name = format!("attachment; filename=\"{}-rejects.ndjson\"", job.id);
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson".to_owned()),
        (CONTENT_DISPOSITION, name),
    ];
    let lines = try_unfold(0, move |after| next(api.clone(), realm, id, after));
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// The next lines, and the item after which to go on.
async fn next(
    api: Arc<Api>,
    realm: TenantId,
    job: JobId,
    after: i64,
) -> Result<Option<(Bytes, i64)>, StorageError> {
    let mut tx = api.setup.db.read().await?;
    let rejects = read(&mut tx, realm, job, after, STEP).await?;
    let Some(last) = rejects.last().map(|reject| reject.ordinal) else {
        return Ok(None);
    };
    let line = |reject: &Reject| {
        let line = json!({"ordinal": reject.ordinal, "reason": reject.reason, "item": reject.item});
        format!("{line}\n")
    };
    let text: String = rejects.iter().map(line).collect();
    Ok(Some((Bytes::from(text), last)))
}
