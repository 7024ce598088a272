//! `POST /contacts/{contact}/erase`

use axum::response::Response;

use super::super::guard::Caller;
use super::super::jobs::{self as resource, JobView};
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use crate::consent::erase as person;
use crate::domain::ContactId;

/// Erase a person
///
/// What is known of them goes at once: names, phones, attributes, notes, what plugins remember of them, the evidence in the
/// ledger. A job walks through messages, sends, journals and bodies. The ledger still verifies, and what they had stopped
/// is honoured if they come back. There is no way back.
#[utoipa::path(
    post, path = "/contacts/{contact}/erase", operation_id = "consents.erase", tag = "consents",
    params(("contact" = ContactId, Path), TenantParam),
    responses((status = 202, description = "The job that walks through what grows with traffic", body = JobView)),
)]
pub(super) async fn erase(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(contact): ObjectId<ContactId>,
) -> Answer<Response> {
    let job = person::begin(&api.acting(&caller), tenant, contact).await?;
    api.wake_jobs(&caller);
    Ok(resource::accepted(&job))
}
