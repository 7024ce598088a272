//! `POST /templates`

use axum::Json;
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use super::{ChangedTemplate, TemplateBody, changed, problem};
use crate::templates::change::account;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    account: Option<String>,
}

/// Submit a template
///
/// Our own lint looks at it first: what Meta would refuse is refused here, each error at its place, and nothing is asked of
/// Meta. Warnings are answered. Meta decides the category: look at what comes back.
#[utoipa::path(
    post, path = "/templates", operation_id = "templates.create", tag = "templates",
    params(TenantParam, ("account" = Option<String>, Query, description = "The WhatsApp account; left out: the only one there is")),
    request_body = TemplateBody,
    responses((status = 201, description = "Submitted", body = ChangedTemplate)),
)]
pub(super) async fn create(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Query(wanted): Query<Wanted>,
    Input(body): Input<TemplateBody>,
) -> Answer<Response> {
    let setup = api.acting(&caller);
    let account = account(&setup, tenant, wanted.account.as_deref()).await?;
    let draft = body.into_draft();
    let created = api.templates.create(&setup, tenant, &account, &draft).await;
    let body = changed(created.map_err(problem)?);
    Ok((StatusCode::CREATED, Json(body)).into_response())
}
