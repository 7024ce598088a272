//! `POST /installations/{installation}/replays`

use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::jobs::{self, JobView};
use super::super::moment::Moment;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::{FieldProblem, Problem};
use super::super::{Answer, State};
use super::NAMED;
use crate::domain::InstallationId;
use crate::replay::Bound;
use crate::replay::job::{self, NewReplay};

/// A candidate, and the turns that it is tried on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayBody {
    /// The digest of an upload of the same plugin.
    #[schema(min_length = 64, max_length = 64)]
    digest: String,
    since: Moment,
    /// Left out: now.
    until: Option<Moment>,
    /// Most turns, the oldest first.
    #[serde(default = "most")]
    #[schema(minimum = 1, maximum = 10_000, default = 10_000)]
    limit: usize,
    /// `different>1%`, `new-faults>0`, `fuel>+20%` …; those that do not hold are the result's `broken_bounds`, and its `gate` is
    /// `passed`, `failed` or `nothing_compared`. With any, `compared<90%` is one too, unless another of `compared` is.
    #[serde(default)]
    #[schema(max_items = 20)]
    bounds: Vec<String>,
}

fn most() -> usize {
    10_000
}

/// Replay turns with a candidate
///
/// A job runs the turns of the journal again, offline, in a process of its own; nothing is sent and nothing changes. Its
/// result says how many would have been the same, and which would not.
#[utoipa::path(
    post, path = "/installations/{installation}/replays", operation_id = "installations.replay", tag = "plugins",
    params(("installation" = InstallationId, Path), TenantParam),
    request_body = ReplayBody,
    responses((status = 202, description = "The job that does it", body = JobView)),
)]
pub(super) async fn replay(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<InstallationId>,
    Input(body): Input<ReplayBody>,
) -> Answer<Response> {
    check(&body.bounds)?;
    let new = NewReplay {
        installation: id,
        candidate: body.digest,
        since: body.since.0,
        until: body.until.map(|until| until.0),
        limit: body.limit,
        bounds: body.bounds,
    };
    let queued = job::begin(&api.acting(&caller), tenant, &new).await;
    let queued = queued.map_err(|error| Problem::of(error, &NAMED))?;
    api.wake_jobs(&caller);
    Ok(jobs::accepted(&queued))
}

fn check(bounds: &[String]) -> Answer<()> {
    let wrong = bounds.iter().enumerate().filter_map(|(place, bound)| {
        let error = bound.parse::<Bound>().err()?;
        Some(FieldProblem::at(
            format!("/bounds/{place}"),
            error.to_string(),
        ))
    });
    let wrong: Vec<FieldProblem> = wrong.collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Problem::invalid(wrong)),
    }
}
