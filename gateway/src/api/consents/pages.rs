//! `GET` and `POST /consent_pages`

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::input::Input;
use super::super::moment::Moment;
use super::super::place::{InTenant, TenantParam};
use super::super::problem::{FieldProblem, Problem};
use super::super::{Answer, State};
use crate::consent::pages::{self, NewPage, Page};
use crate::domain::{NumberId, TenantId, Timestamp};

/// A page on which people opt in, in its latest version.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConsentPage)]
pub(super) struct PageView {
    name: String,
    /// From 1 on: each change is a new one, and records name the one that was shown.
    version: i64,
    scope: String,
    number: NumberId,
    title: String,
    text: String,
    language: String,
    enabled: bool,
    /// Where it is on the gateway's public listener.
    path: String,
    created_at: Moment,
}

/// A page as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutPage {
    /// `a-z`, `0-9`, `_` and `-`: it stands in the address. One that is there gets a new version.
    #[schema(min_length = 1, max_length = 40)]
    name: String,
    /// `all`, `marketing`, `utility` or `topic:NAME`.
    #[schema(min_length = 1, max_length = 60)]
    scope: String,
    /// Whom people write to.
    number: NumberId,
    #[schema(min_length = 1, max_length = 100)]
    title: String,
    /// What is agreed to, exactly as it is shown. It must name your business.
    #[schema(min_length = 1, max_length = 4000)]
    text: String,
    /// BCP 47.
    #[serde(default)]
    #[schema(max_length = 20)]
    language: String,
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

/// Every page of the tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConsentPages)]
pub(super) struct Pages {
    items: Vec<PageView>,
}

fn view(tenant: TenantId, page: Page) -> PageView {
    PageView {
        path: format!("/join/{tenant}/{}", page.row.name),
        name: page.row.name,
        version: page.row.seq,
        scope: page.row.scope,
        number: NumberId::from_raw(page.row.number),
        title: page.row.title,
        text: page.wording.text,
        language: page.wording.language,
        enabled: page.row.enabled != 0,
        created_at: Moment(Timestamp::from_millis(page.row.created_at)),
    }
}

/// The tenant's opt-in pages
#[utoipa::path(
    get, path = "/consent_pages", operation_id = "consent_pages.list", tag = "consents",
    params(TenantParam),
    responses((status = 200, description = "All of them", body = Pages)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
) -> Answer<Json<Pages>> {
    let all = pages::list(&api.setup, tenant).await?;
    let items = all.into_iter().map(|page| view(tenant, page)).collect();
    Ok(Json(Pages { items }))
}

/// Put an opt-in page
///
/// People press a button under the text and then send a code from their own WhatsApp: whoever sends it has agreed.
#[utoipa::path(
    post, path = "/consent_pages", operation_id = "consent_pages.put", tag = "consents",
    params(TenantParam),
    request_body = PutPage,
    responses((status = 200, description = "As it is shown now", body = PageView)),
)]
pub(super) async fn put(
    axum::extract::State(api): State,
    caller: Caller,
    InTenant(tenant): InTenant,
    Input(new): Input<PutPage>,
) -> Answer<Json<PageView>> {
    let unknown = |_| {
        let what = "must be all, marketing, utility or topic:NAME";
        Problem::invalid(vec![FieldProblem::at("/scope", what)])
    };
    let new = NewPage {
        name: new.name,
        scope: new.scope.parse().map_err(unknown)?,
        number: new.number,
        title: new.title,
        text: new.text,
        language: new.language,
        enabled: new.enabled,
    };
    let named = [
        ("the page's name", "/name"),
        ("the page's title", "/title"),
        ("the page's text", "/text"),
        ("the page's scope", "/scope"),
    ];
    let page = pages::put(&api.acting(&caller), tenant, &new).await;
    Ok(Json(view(
        tenant,
        page.map_err(|error| Problem::of(error, &named))?,
    )))
}
