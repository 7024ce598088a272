//! `GET /credentials`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use super::{CredentialView, view};
use crate::tenants::credentials;

/// A tenant's credentials
///
/// Oldest first, without their tokens.
#[utoipa::path(
    get, path = "/credentials", operation_id = "credentials.list", tag = "credentials",
    params(TenantParam, PageParams),
    responses((status = 200, description = "A page", body = Paged<CredentialView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    page: Page,
) -> Answer<Json<Paged<CredentialView>>> {
    let rows = credentials::page(&api.setup, tenant, page.after(), page.most()).await?;
    Ok(Json(page.of(rows, |row| row.id.raw(), |row| view(&row))))
}
