//! `GET /secrets`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use super::{SecretView, view};
use crate::tenants::secrets;

/// A tenant's secrets
///
/// Oldest first, without their values.
#[utoipa::path(
    get, path = "/secrets", operation_id = "secrets.list", tag = "plugins",
    params(TenantParam, PageParams),
    responses((status = 200, description = "A page", body = Paged<SecretView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    page: Page,
) -> Answer<Json<Paged<SecretView>>> {
    let rows = secrets::page(&api.setup, tenant, page.after(), page.most()).await?;
    Ok(Json(page.of(rows, |row| row.id, |row| view(&row))))
}
