//! `POST /templates/lint`

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::input::Input;
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use super::{FindingView, TemplateBody, finding};
use crate::templates::lint;

/// What there is to say of a template.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Lint {
    /// Would it be submitted?
    passes: bool,
    findings: Vec<FindingView>,
}

/// Lint a template
///
/// Nothing is submitted or kept.
#[utoipa::path(
    post, path = "/templates/lint", operation_id = "templates.lint", tag = "templates",
    params(TenantParam),
    request_body = TemplateBody,
    responses((status = 200, description = "What Meta and its reviewers would say", body = Lint)),
)]
pub(super) async fn lint(
    axum::extract::State(_): State,
    InTenant(_): InTenant,
    Input(body): Input<TemplateBody>,
) -> Answer<Json<Lint>> {
    let findings = lint::lint(&body.into_draft());
    Ok(Json(Lint {
        passes: !lint::has_errors(&findings),
        findings: findings.into_iter().map(finding).collect(),
    }))
}
