//! `GET /templates/{template}`

use axum::Json;

use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{TemplateView, problem, view};
use crate::domain::TemplateId;
use crate::templates::change;

/// One template
#[utoipa::path(
    get, path = "/templates/{template}", operation_id = "templates.get", tag = "templates",
    params(("template" = TemplateId, Path), TenantParam),
    responses((status = 200, description = "The template as Meta has it", body = TemplateView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<TemplateId>,
) -> Answer<Json<TemplateView>> {
    let row = change::find(&api.setup, tenant, id).await;
    Ok(Json(view(row.map_err(problem)?)))
}
