//! `GET /templates/{template}/history`

use axum::Json;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::super::moment::Moment;
use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use super::problem;
use crate::domain::{TemplateId, Timestamp};
use crate::storage::template_history::{self, KeptChange};
use crate::templates::change;

/// Something that changed about a template.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplateChange {
    /// `seen` (first heard of), `status`, `category`, `next_category`, `quality`, `components`, `gone`, `back`.
    what: String,
    /// Of `components`: all of them, as they were until then.
    #[schema(value_type = Object)]
    was: Value,
    /// Of `components`: `null`; the next change has them, or the template itself.
    #[schema(value_type = Object)]
    became: Value,
    /// `sync`, `webhook`, `answer` (of Graph, to a change) or `receipt`.
    learnt: String,
    /// Meta's time, or when it was read.
    at: Moment,
}

fn view(row: KeptChange) -> TemplateChange {
    let value = |text: String| match row.what.as_str() {
        "components" | "seen" => serde_json::from_str(&text).unwrap_or(Value::Null),
        _ if text.is_empty() => Value::Null,
        _ => Value::String(text),
    };
    TemplateChange {
        was: value(row.was.clone()),
        became: value(row.became.clone()),
        what: row.what,
        learnt: row.learnt,
        at: Moment(Timestamp::from_millis(row.at)),
    }
}

/// What became of a template
///
/// Newest first; nothing of it vanishes, whatever Meta does with the template.
#[utoipa::path(
    get, path = "/templates/{template}/history", operation_id = "templates.history", tag = "templates",
    params(("template" = TemplateId, Path), PageParams, TenantParam),
    responses((status = 200, description = "A page", body = Paged<TemplateChange>)),
)]
pub(super) async fn history(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<TemplateId>,
    page: Page,
) -> Answer<Json<Paged<TemplateChange>>> {
    let template = change::find(&api.setup, tenant, id).await;
    let template = template.map_err(problem)?.id;
    let mut tx = api.setup.db.read().await?;
    let (before, most) = (page.before(), page.most());
    let rows = template_history::page(&mut tx, tenant, template, before, most).await?;
    Ok(Json(page.of(rows, |row| row.id, view)))
}
