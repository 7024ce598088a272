//! `POST /audit/verifications`

use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::jobs::{self as resource, JobView};
use super::super::place::{Realm, TenantParam};
use super::super::problem::{FieldProblem, Problem};
use super::super::{Answer, State};
use crate::audit::{VerifyJob, read_head};
use crate::jobs;

/// What is to be verified beside the chain itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Verify {
    /// The head of an earlier verification, `SEQ:MAC`: it must still be a place of the chain.
    #[schema(max_length = 100)]
    head: Option<String>,
}

/// Verify the sealed chain
///
/// A job: every sealed entry is read again. Its result says `intact`, and the chain's head, which, kept elsewhere, shows
/// later whether the end was cut off. Faults are its rejects.
#[utoipa::path(
    post, path = "/audit/verifications", operation_id = "audit.verify", tag = "audit",
    params(TenantParam),
    request_body = Verify,
    responses((status = 202, description = "The job", body = JobView)),
)]
pub(super) async fn verify(
    axum::extract::State(api): State,
    caller: Caller,
    Realm(realm): Realm,
    Input(asked): Input<Verify>,
) -> Answer<Response> {
    if asked
        .head
        .as_deref()
        .is_some_and(|head| read_head(head).is_none())
    {
        let detail = "must be a head as a verification tells it, SEQ:MAC";
        return Err(Problem::invalid(vec![FieldProblem::at("/head", detail)]));
    }
    let setup = api.acting(&caller);
    let params = json!({"head": asked.head});
    let job = jobs::create(&setup, realm, VerifyJob::NAME, &params, None).await?;
    api.wake_jobs(&caller);
    Ok(resource::accepted(&job))
}
