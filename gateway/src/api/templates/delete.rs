//! `DELETE /templates/{template}`

use axum::extract::Query;
use http::StatusCode;
use serde::Deserialize;

use super::super::guard::Caller;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::problem;
use crate::domain::TemplateId;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    all_languages: bool,
}

/// Delete a template at Meta
///
/// What we keep of it stays, and says that it is deleted. Meta blocks the name of an approved one for 30 days.
#[utoipa::path(
    delete, path = "/templates/{template}", operation_id = "templates.delete", tag = "templates",
    params(
        ("template" = TemplateId, Path), TenantParam,
        ("all_languages" = Option<bool>, Query, description = "Every language of its name"),
    ),
    responses((status = 204, description = "Deleted")),
)]
pub(super) async fn delete(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<TemplateId>,
    Query(wanted): Query<Wanted>,
) -> Answer<StatusCode> {
    let setup = api.acting(&caller);
    let all = wanted.all_languages;
    let deleted = api.templates.delete(&setup, tenant, id, all).await;
    deleted.map_err(problem)?;
    Ok(StatusCode::NO_CONTENT)
}
