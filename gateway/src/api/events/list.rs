//! `GET /events`

use axum::Json;
use axum::extract::Query;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::place::{InTenant, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{EventView, Wanted, gone, number, view};
use crate::events::{self, Page};

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MOST: i64 = 200;

/// Events after a number.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventPage {
    items: Vec<EventView>,
    /// Ask again with `after` set to it. It may be beyond the last item, when events of other types came last.
    position: i64,
}

/// Events after a number
///
/// Oldest first. Numbers have no gaps, and no event appears later with a lower one: whoever keeps `position` misses
/// nothing. An empty page: nothing has happened since.
#[utoipa::path(
    get, path = "/events", operation_id = "events.list", tag = "events",
    params(
        TenantParam,
        ("after" = Option<i64>, Query, description = "The last number that you have; 0 or left out: from the beginning"),
        ("types" = Option<String>, Query, description = "Only these types, with commas between"),
        ("limit" = Option<i64>, Query, description = "1 to 200 events looked at, 50 when it is left out"),
    ),
    responses(
        (status = 200, description = "A page", body = EventPage),
        (status = 410, description = "What comes next is past retention", body = ref("#/components/schemas/Problem")),
    ),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Answer<Json<EventPage>> {
    let unread = |_| Problem::bad_parameter("the query", "cannot be read");
    let Query(wanted) = wanted.map_err(unread)?;
    let limit = number("limit", wanted.limit.as_deref())?.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MOST).contains(&limit) {
        return Err(Problem::bad_parameter("limit", "must be 1 to 200"));
    }
    let most = usize::try_from(limit).unwrap_or_default();
    let after = wanted.after()?.unwrap_or(0);
    let snapshot = api.desk.directory.snapshot();
    let kinds = wanted.kinds()?;
    let mut page = events::page(&api.setup.db, &snapshot, tenant, after, &kinds, most).await?;
    if let (Page::Gone { first }, None) = (&page, &wanted.after) {
        // "From the beginning" is from what there is.
        let begin = first - 1;
        page = events::page(&api.setup.db, &snapshot, tenant, begin, &kinds, most).await?;
    }
    match page {
        Page::Events { events, position } => Ok(Json(EventPage {
            items: events.into_iter().map(view).collect(),
            position,
        })),
        Page::Gone { first } => Err(gone(first)),
    }
}
