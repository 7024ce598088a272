//! `GET /contacts/{contact}/consents`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{RecordView, view};
use crate::consent::file;
use crate::domain::ContactId;

/// A person's records
///
/// Newest first, those of contacts that turned out to be the same person too.
#[utoipa::path(
    get, path = "/contacts/{contact}/consents", operation_id = "consents.list", tag = "consents",
    params(("contact" = ContactId, Path), TenantParam, PageParams),
    responses((status = 200, description = "A page", body = Paged<RecordView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(contact): ObjectId<ContactId>,
    page: Page,
) -> Answer<Json<Paged<RecordView>>> {
    let rows = file::page(&api.setup, tenant, contact, page.before(), page.most()).await?;
    Ok(Json(page.of(
        rows,
        |row| row.record.id.raw(),
        |row| view(&row),
    )))
}
