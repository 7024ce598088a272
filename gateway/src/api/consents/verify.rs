//! `POST /consents/verifications`

use axum::response::Response;
use serde_json::json;

use super::super::guard::Caller;
use super::super::jobs::{self as resource, JobView};
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use crate::consent::VerifyJob;
use crate::jobs;

/// Verify the sealed ledger
///
/// A job: every sealed record is read again. Its result says `intact`, and the chain's head. Faults are its rejects.
#[utoipa::path(
    post, path = "/consents/verifications", operation_id = "consents.verify", tag = "consents",
    params(TenantParam),
    responses((status = 202, description = "The job", body = JobView)),
)]
pub(super) async fn verify(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
) -> Answer<Response> {
    let setup = api.acting(&caller);
    let job = jobs::create(&setup, tenant, VerifyJob::NAME, &json!({}), None).await?;
    api.wake_jobs(&caller);
    Ok(resource::accepted(&job))
}
