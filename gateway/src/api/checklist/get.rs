//! `GET /checklist`

use axum::Json;

use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use crate::checklist::{self, Checklist};

/// Is everything ready to go live?
///
/// Each line with its state, what was seen and when, and what to do. What cannot be seen from here is `unknown` until
/// somebody vouches for it. `docs/operating.md` has the lines.
#[utoipa::path(
    get, path = "/checklist", operation_id = "checklist.get", tag = "tenants",
    params(TenantParam),
    responses((status = 200, description = "The list", body = Checklist)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
) -> Answer<Json<Checklist>> {
    Ok(Json(checklist::of(&api.setup, tenant).await?))
}
