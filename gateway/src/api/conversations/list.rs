//! `GET /conversations`

use axum::Json;
use axum::extract::Query;
use serde::Deserialize;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{ConversationView, came_from, view};
use crate::domain::{ContactId, ConversationId, NumberId};
use crate::storage::conversations::{self, Filter, OwnedBy};

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    owner: Option<String>,
    owner_name: Option<String>,
    number: Option<String>,
    contact: Option<String>,
    state: Option<String>,
}

/// Conversations
///
/// The youngest first. `owner=people` are all that the bot does not have.
#[utoipa::path(
    get, path = "/conversations", operation_id = "conversations.list", tag = "conversations",
    params(
        PageParams, TenantParam,
        ("owner" = Option<String>, Query, description = "`bot`, `people`, `queue`, `agent` or `external`"),
        ("owner_name" = Option<String>, Query, description = "Of the queue, agent or client"),
        ("number" = Option<NumberId>, Query),
        ("contact" = Option<ContactId>, Query),
        ("state" = Option<String>, Query, description = "`open`, `closed` or `snoozed`"),
    ),
    responses((status = 200, description = "A page", body = Paged<ConversationView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    page: Page,
    Query(wanted): Query<Wanted>,
) -> Answer<Json<Paged<ConversationView>>> {
    let filter = filter(&wanted)?;
    let mut tx = api.setup.db.read().await?;
    let (before, most) = (page.before(), page.most());
    let rows = conversations::page(&mut tx, tenant, &filter, before, most).await?;
    drop(tx);
    let ids: Vec<ConversationId> = rows.iter().map(|row| row.id).collect();
    let from = came_from(&api, tenant, &ids).await?;
    Ok(Json(page.of(
        rows,
        |row| row.id.raw(),
        |row| view(&row, &from),
    )))
}

fn filter(wanted: &Wanted) -> Answer<Filter> {
    let owner = match wanted.owner.as_deref() {
        None => OwnedBy::Anybody,
        Some("people") => OwnedBy::People,
        Some("bot") => OwnedBy::Code(0),
        Some("queue") => OwnedBy::Code(1),
        Some("agent") => OwnedBy::Code(2),
        Some("external") => OwnedBy::Code(3),
        Some(_) => {
            let detail = "must be bot, people, queue, agent or external";
            return Err(Problem::bad_parameter("owner", detail));
        }
    };
    let state = wanted.state.as_deref();
    if !matches!(state, None | Some("open" | "closed" | "snoozed")) {
        return Err(Problem::bad_parameter(
            "state",
            "must be open, closed or snoozed",
        ));
    }
    Ok(Filter {
        owner,
        owner_name: wanted.owner_name.clone().unwrap_or_default(),
        number: id("number", wanted.number.as_deref())?,
        contact: id("contact", wanted.contact.as_deref())?,
        state: wanted.state.clone().unwrap_or_default(),
    })
}

fn id<T: std::str::FromStr>(name: &str, text: Option<&str>) -> Answer<Option<T>> {
    let wrong = || Problem::bad_parameter(name, "must be an id");
    text.map(|text| text.parse().map_err(|_| wrong()))
        .transpose()
}
