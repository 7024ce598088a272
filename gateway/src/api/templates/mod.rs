//! Message templates: what Meta has of each account's, looked at, linted, submitted, changed.

mod accounts;
mod copy;
mod create;
mod delete;
mod get;
mod history;
mod lint;
mod list;
mod sync;
mod update;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::moment::Moment;
use super::problem::{FieldProblem, Problem};
use crate::domain::TemplateId;
use crate::storage::templates::Template;
use crate::templates::change::Changed;
use crate::templates::lint::Severity;
use crate::templates::{Finding, TemplateDraft, TemplateError};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(accounts::accounts))
        .routes(routes!(lint::lint))
        .routes(routes!(sync::sync))
        .routes(routes!(get::get, update::update, delete::delete))
        .routes(routes!(history::history))
        .routes(routes!(copy::copy))
}

/// One language of a template, as Meta has it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Template)]
pub(super) struct TemplateView {
    id: TemplateId,
    /// The WhatsApp account.
    account: String,
    name: String,
    language: String,
    /// Meta's id; `null`: not told yet.
    meta_id: Option<String>,
    /// `APPROVED`, `PENDING`, `REJECTED`, `PAUSED`, `DISABLED` …; only `APPROVED` can be sent. `null`: not told yet.
    status: Option<String>,
    /// What Meta charges it as today: what the person's consent must cover.
    category: Option<String>,
    /// What it was submitted as here.
    asked_category: Option<String>,
    /// What Meta has said it will become.
    next_category: Option<String>,
    next_category_at: Option<Moment>,
    /// `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    quality: Option<String>,
    rejected_reason: Option<String>,
    message_send_ttl_seconds: Option<i64>,
    /// As Graph has them; `null`: not read yet.
    #[schema(value_type = Vec<Object>)]
    components: Value,
    /// When Meta was found to have it no longer.
    gone_at: Option<Moment>,
    created_at: Moment,
    changed_at: Moment,
}

fn view(row: Template) -> TemplateView {
    let some = |text: String| (!text.is_empty()).then_some(text);
    TemplateView {
        id: row.id,
        account: row.account,
        name: row.name,
        language: row.language,
        meta_id: some(row.meta_id),
        status: some(row.status),
        category: some(row.category),
        asked_category: some(row.asked_category),
        next_category: some(row.next_category),
        next_category_at: row.next_category_at.map(Moment),
        quality: some(row.quality),
        rejected_reason: some(row.rejected),
        message_send_ttl_seconds: (row.ttl_seconds != 0).then_some(row.ttl_seconds),
        components: serde_json::from_str(&row.components).unwrap_or(Value::Null),
        gone_at: row.gone_at.map(Moment),
        created_at: Moment(row.created_at),
        changed_at: Moment(row.changed_at),
    }
}

/// Something that Meta refuses, or reviewers may.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateFinding)]
pub(super) struct FindingView {
    /// Stable; `docs/templates.md` lists them.
    code: String,
    /// `error` (Meta refuses it) or `warning`.
    severity: String,
    /// JSON Pointer into the template.
    at: String,
    problem: String,
    /// How to mend it.
    mend: String,
}

fn finding(one: Finding) -> FindingView {
    let severity = match one.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    FindingView {
        code: one.code,
        severity: severity.to_owned(),
        at: one.at,
        problem: one.problem,
        mend: one.mend,
    }
}

/// A template that was submitted or changed, and what our lint warns of.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangedTemplate {
    template: TemplateView,
    warnings: Vec<FindingView>,
}

fn changed(changed: Changed) -> ChangedTemplate {
    ChangedTemplate {
        template: view(changed.template),
        warnings: changed.warnings.into_iter().map(finding).collect(),
    }
}

/// A template, spelled as Graph spells it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateBody {
    /// a-z, 0-9 and _.
    #[schema(min_length = 1, max_length = 512)]
    name: String,
    /// As Meta writes it: `en`, `en_GB`, `pt_BR`.
    #[schema(min_length = 1, max_length = 35)]
    language: String,
    /// `UTILITY`, `MARKETING` or `AUTHENTICATION`.
    #[schema(max_length = 35)]
    category: String,
    /// `NAMED` when the variables have names.
    #[schema(max_length = 35)]
    parameter_format: Option<String>,
    message_send_ttl_seconds: Option<i64>,
    #[schema(min_items = 1, max_items = 10, value_type = Vec<Object>)]
    components: Vec<Value>,
}

impl TemplateBody {
    fn into_draft(self) -> TemplateDraft {
        TemplateDraft {
            name: self.name,
            language: self.language,
            category: self.category,
            parameter_format: self.parameter_format,
            message_send_ttl_seconds: self.message_send_ttl_seconds,
            components: self.components,
        }
    }
}

/// Each finding at its place.
fn problem(error: TemplateError) -> Problem {
    match error {
        TemplateError::Setup(error) => error.into(),
        TemplateError::Lint(findings) => {
            let at = |one: Finding| {
                let text = format!("{}: {}; {}", one.code, one.problem, one.mend);
                FieldProblem::at(one.at, text)
            };
            let errors = findings.into_iter();
            let errors = errors.filter(|one| one.severity == Severity::Error);
            Problem::invalid(errors.map(at).collect())
        }
        TemplateError::Meta(failed) => failed.into(),
    }
}
