//! `PATCH /templates/{template}`

use axum::Json;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{ChangedTemplate, changed, problem};
use crate::domain::TemplateId;
use crate::templates::TemplateEdit;

/// What is to be changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateEditBody {
    /// Not of an approved template.
    #[schema(max_length = 35)]
    category: Option<String>,
    message_send_ttl_seconds: Option<i64>,
    /// All of them: they replace what there is.
    #[schema(min_items = 1, max_items = 10, value_type = Option<Vec<Object>>)]
    components: Option<Vec<Value>>,
}

/// Edit a template
///
/// Meta reviews it again. Approved, rejected and paused ones can be edited; an approved one once a day and ten times in 30
/// days.
#[utoipa::path(
    patch, path = "/templates/{template}", operation_id = "templates.update", tag = "templates",
    params(("template" = TemplateId, Path), TenantParam),
    request_body = TemplateEditBody,
    responses((status = 200, description = "As Meta has it now", body = ChangedTemplate)),
)]
pub(super) async fn update(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<TemplateId>,
    Input(body): Input<TemplateEditBody>,
) -> Answer<Json<ChangedTemplate>> {
    let edit = TemplateEdit {
        category: body.category,
        message_send_ttl_seconds: body.message_send_ttl_seconds,
        components: body.components,
    };
    let setup = api.acting(&caller);
    let edited = api.templates.edit(&setup, tenant, id, edit).await;
    Ok(Json(changed(edited.map_err(problem)?)))
}
