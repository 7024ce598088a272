//! `GET /hooks`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use super::{HookView, view};

/// Every endpoint
///
/// Oldest first.
#[utoipa::path(
    get, path = "/hooks", operation_id = "hooks.list", tag = "hooks",
    params(PageParams, TenantParam),
    responses((status = 200, description = "A page", body = Paged<HookView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    page: Page,
) -> Answer<Json<Paged<HookView>>> {
    let (after, most) = (page.after(), page.most());
    let rows = api.endpoints.page(&api.setup, tenant, after, most).await?;
    Ok(Json(page.of(
        rows,
        |hook| hook.id.raw(),
        |hook| view(&hook),
    )))
}
