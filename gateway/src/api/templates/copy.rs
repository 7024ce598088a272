//! `POST /templates/{template}/languages`

use axum::Json;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::{FindingView, TemplateView, finding, problem, view};
use crate::domain::TemplateId;
use crate::templates::change::{Copied, NewLanguage};

/// Languages to submit the template in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LanguagesBody {
    #[schema(min_items = 1, max_items = 50)]
    languages: Vec<LanguageBody>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LanguageBody {
    #[schema(min_length = 2, max_length = 35)]
    language: String,
    /// The words in that language. Left out: those of the original (for one-time codes, whose words are Meta's).
    #[schema(min_items = 1, max_items = 10, value_type = Option<Vec<Object>>)]
    components: Option<Vec<Value>>,
}

/// What became of each.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CopiedTemplates {
    items: Vec<CopiedTemplate>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CopiedTemplate {
    language: String,
    /// `null`: it was not made.
    template: Option<TemplateView>,
    /// Why it was not made.
    problem: Option<String>,
    warnings: Vec<FindingView>,
}

fn copied(copied: Copied) -> CopiedTemplate {
    let language = copied.language;
    match copied.outcome {
        Ok(changed) => CopiedTemplate {
            language,
            template: Some(view(changed.template)),
            problem: None,
            warnings: changed.warnings.into_iter().map(finding).collect(),
        },
        Err(error) => CopiedTemplate {
            language,
            template: None,
            problem: Some(error.to_string()),
            warnings: Vec::new(),
        },
    }
}

/// Submit a template in more languages
///
/// An error that our lint finds in one of them refuses all. What Meta then says of each is answered by itself.
#[utoipa::path(
    post, path = "/templates/{template}/languages", operation_id = "templates.copy", tag = "templates",
    params(("template" = TemplateId, Path), TenantParam),
    request_body = LanguagesBody,
    responses((status = 200, description = "What became of each", body = CopiedTemplates)),
)]
pub(super) async fn copy(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<TemplateId>,
    Input(body): Input<LanguagesBody>,
) -> Answer<Json<CopiedTemplates>> {
    let languages = body.languages.into_iter().map(|one| NewLanguage {
        language: one.language,
        components: one.components,
    });
    let languages = languages.collect();
    let setup = api.acting(&caller);
    let copies = api.templates.copy(&setup, tenant, id, languages).await;
    let items = copies.map_err(problem)?.into_iter().map(copied).collect();
    Ok(Json(CopiedTemplates { items }))
}
