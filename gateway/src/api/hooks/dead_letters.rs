//! `GET /hooks/{hook}/dead_letters`

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::moment::Moment;
use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::{Answer, State};
use crate::domain::{HookId, Timestamp};
use crate::storage::hooks::Delivery;

/// An event that an endpoint did not take within a day.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeadLetter {
    /// The event's number: `GET /events?after={seq - 1}&limit=1` shows it.
    seq: i64,
    attempts: i64,
    first_tried_at: Moment,
    /// Why the last attempt failed.
    error: String,
}

/// Events that an endpoint did not take
#[utoipa::path(
    get, path = "/hooks/{hook}/dead_letters", operation_id = "hooks.dead_letters", tag = "hooks",
    params(("hook" = HookId, Path), PageParams, TenantParam),
    responses((status = 200, description = "A page", body = Paged<DeadLetter>)),
)]
pub(super) async fn dead_letters(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(id): ObjectId<HookId>,
    page: Page,
) -> Answer<Json<Paged<DeadLetter>>> {
    let (after, most) = (page.after(), page.most());
    let setup = &api.setup;
    let rows = api
        .endpoints
        .dead_letters(setup, tenant, id, after, most)
        .await?;
    let view = |row: Delivery| DeadLetter {
        seq: row.seq,
        attempts: row.attempts,
        first_tried_at: Moment(Timestamp::from_millis(row.first_at)),
        error: row.error,
    };
    Ok(Json(page.of(rows, |row| row.id, view)))
}
