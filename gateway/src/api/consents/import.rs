//! `POST /consents/import`

use axum::extract::{Query, Request};
use axum::response::Response;
use futures::StreamExt;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;

use super::super::guard::Caller;
use super::super::jobs::{self as resource, JobView};
use super::super::place::{InTenant, TenantParam};
use super::super::problem::{FieldProblem, Problem};
use super::super::{Answer, LongBody, State};
use crate::consent::import::{ImportError, Importing};
use crate::consent::rows::Format;

/// Some two million rows. A guess; a longer list is two lists.
pub const LARGEST: usize = 512 << 20;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    dry_run: bool,
}

/// Import consent
///
/// CSV with a header, or JSON Lines, of any length: it is kept as it comes, and a job records it, row by row. What cannot be
/// taken is among the job's rejects, with the row and all that is wrong with it. Columns and keys: `phone`, `external_id` or
/// `contact`; `scope`, `at`; and, where there is one, `status` (`given`), `channel`, `wording`, `wording_version`,
/// `language`, `source`, `address`, `proof`. A phone that is not known yet becomes a contact. An import lifts no opt-out.
#[utoipa::path(
    post, path = "/consents/import", operation_id = "consents.import", tag = "consents",
    params(TenantParam, ("dry_run" = Option<bool>, Query, description = "Only say what would become of it")),
    request_body(content((String = "text/csv"), (String = "application/x-ndjson"))),
    responses((status = 202, description = "The job", body = JobView)),
)]
pub(super) async fn import(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Query(wanted): Query<Wanted>,
    request: Request,
) -> Answer<Response> {
    let format = format(&request)?;
    let setup = api.acting(&caller);
    let mut importing = Importing::begin(&setup, tenant, format, &api.traffic)
        .await
        .map_err(problem)?;
    LongBody::allow(&request);
    let mut body = request.into_body().into_data_stream();
    let mut bytes = 0;
    while let Some(chunk) = body.next().await {
        let unread = |_| {
            let detail = "the body did not arrive whole, or too slowly: nothing of it was recorded";
            Problem::new(StatusCode::BAD_REQUEST, "unreadable", detail)
        };
        let chunk = chunk.map_err(unread)?;
        bytes += chunk.len();
        if bytes > LARGEST {
            let detail = "the body is larger than this resource takes";
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                detail,
            ));
        }
        importing.take(&chunk).await.map_err(problem)?;
    }
    let job = importing.finish(wanted.dry_run).await.map_err(problem)?;
    api.wake_jobs(&caller);
    Ok(resource::accepted(&job))
}

fn format(request: &Request) -> Answer<Format> {
    let said = request.headers().get(CONTENT_TYPE);
    let said = said.and_then(|value| value.to_str().ok()).unwrap_or("");
    match said.split(';').next().map(str::trim) {
        Some("text/csv") => Ok(Format::Csv),
        Some("application/x-ndjson" | "application/jsonl" | "application/json-lines") => {
            Ok(Format::JsonLines)
        }
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not_a_list",
            "the body must be text/csv or application/x-ndjson",
        )),
    }
}

fn problem(error: ImportError) -> Problem {
    match error {
        ImportError::List(error) => Problem::invalid(vec![FieldProblem::at("", error.to_string())]),
        ImportError::Setup(error) => error.into(),
    }
}
