//! `GET /templates`

use axum::Json;
use axum::extract::Query;
use serde::Deserialize;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, TenantParam};
use super::super::{Answer, State};
use super::{TemplateView, view};
use crate::storage::templates::{self, Filter, Template};

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    account: Option<String>,
    name: Option<String>,
    language: Option<String>,
    status: Option<String>,
    category: Option<String>,
    #[serde(default)]
    gone: bool,
}

/// Templates
///
/// By account, name and language.
#[utoipa::path(
    get, path = "/templates", operation_id = "templates.list", tag = "templates",
    params(
        PageParams, TenantParam,
        ("account" = Option<String>, Query, description = "Of one WhatsApp account"),
        ("name" = Option<String>, Query, description = "A name, whole"),
        ("language" = Option<String>, Query, description = "A language, as Meta writes it"),
        ("status" = Option<String>, Query, description = "Such as `APPROVED`"),
        ("category" = Option<String>, Query, description = "What Meta charges it as: `UTILITY`, `MARKETING`, `AUTHENTICATION`"),
        ("gone" = Option<bool>, Query, description = "With those that Meta has no longer"),
    ),
    responses((status = 200, description = "A page", body = Paged<TemplateView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    page: Page,
    Query(wanted): Query<Wanted>,
) -> Answer<Json<Paged<TemplateView>>> {
    let filter = Filter {
        account: wanted.account.unwrap_or_default(),
        name: wanted.name.unwrap_or_default(),
        language: wanted.language.unwrap_or_default(),
        status: wanted.status.unwrap_or_default(),
        category: wanted.category.unwrap_or_default(),
        gone: wanted.gone,
    };
    let mut tx = api.setup.db.read().await?;
    let (after, most) = (page.after_key(), page.most());
    let rows = templates::page(&mut tx, tenant, &filter, &after, most).await?;
    Ok(Json(page.of_keyed(rows, Template::place, view)))
}
