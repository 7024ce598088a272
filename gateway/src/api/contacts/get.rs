//! `GET /contacts/{contact}`

use super::super::etag::Tagged;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{ContactView, shown};
use crate::contacts;
use crate::domain::ContactId;

/// One contact
#[utoipa::path(
    get, path = "/contacts/{contact}", operation_id = "contacts.get", tag = "contacts",
    params(("contact" = ContactId, Path), TenantParam),
    responses((status = 200, description = "The contact, with its ETag", body = ContactView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<ContactId>,
) -> Answer<Tagged<ContactView>> {
    let contact = contacts::get(&api.setup, tenant, id).await?;
    shown(&api, &contact).await
}
