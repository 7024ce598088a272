//! `GET /account-events`

use axum::Json;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{Realm, TenantParam};
use super::super::{Answer, State};
use super::{EventView, view};
use crate::events;
use crate::storage::history;

/// What Meta told beside conversations
///
/// The newest first: bans, reviews, limits and templates with the facts that they hold, groups, imports, choices about
/// marketing, and everything of a kind that this version does not act on, as it came. The operator sees what names no
/// number that is set up, or a tenant's with `tenant`.
#[utoipa::path(
    get, path = "/account-events", operation_id = "account_events.list", tag = "numbers",
    params(PageParams, TenantParam),
    responses((status = 200, description = "A page", body = Paged<EventView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    Realm(realm): Realm,
    page: Page,
) -> Answer<Json<Paged<EventView>>> {
    let mut tx = api.setup.db.read().await?;
    let rows = history::beside_conversations(&mut tx, realm, page.before(), page.most()).await?;
    let mut elements = events::elements(&mut tx, &rows).await?;
    let show = |row: history::InboundEntry| {
        let element = elements.remove(&row.id.raw());
        view(&row, element)
    };
    Ok(Json(page.of(rows, |row| row.id.raw(), show)))
}
