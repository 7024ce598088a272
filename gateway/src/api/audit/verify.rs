//! `POST /audit/verifications`

use axum::response::Response;
use serde_json::json;

use super::super::guard::Caller;
use super::super::jobs::{self as resource, JobView};
use super::super::place::{Realm, TenantParam};
use super::super::{Answer, State};
use crate::audit::VerifyJob;
use crate::jobs;

/// Verify the sealed chain
///
/// A job: every sealed entry is read again. Its result says `intact`, and the chain's head, which, kept elsewhere, shows
/// later whether the end was cut off. Faults are its rejects.
#[utoipa::path(
    post, path = "/audit/verifications", operation_id = "audit.verify", tag = "audit",
    params(TenantParam),
    responses((status = 202, description = "The job", body = JobView)),
)]
pub(super) async fn verify(
    axum::extract::State(api): State,
    caller: Caller,
    Realm(realm): Realm,
) -> Answer<Response> {
    let setup = api.acting(&caller.actor);
    let job = jobs::create(&setup, realm, VerifyJob::NAME, &json!({}), None).await?;
    api.jobs.now();
    Ok(resource::accepted(&job))
}
