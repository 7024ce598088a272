//! `DELETE /contacts/{contact}/journals`

use axum::response::Response;

use super::super::guard::Caller;
use super::super::jobs::{self, JobView};
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use crate::contacts;
use crate::domain::ContactId;

/// Erase a contact's journals
///
/// What the journal of turns has of the person goes, in all their conversations: what plugins saw, did and logged, and what
/// reports of replays say of it. That a turn was, when, and how it ended stays; `plugin trace` and `plugin replay` say that it
/// was erased. Messages stay.
#[utoipa::path(
    delete, path = "/contacts/{contact}/journals", operation_id = "contacts.erase_journals", tag = "contacts",
    params(("contact" = ContactId, Path), TenantParam),
    responses((status = 202, description = "The job that does it", body = JobView)),
)]
pub(super) async fn erase_journals(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<ContactId>,
) -> Answer<Response> {
    let job = contacts::erase_journals(&api.acting(&caller), tenant, id).await?;
    api.wake_jobs(&caller);
    Ok(jobs::accepted(&job))
}
