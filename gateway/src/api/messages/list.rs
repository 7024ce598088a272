//! `GET /messages`

use axum::Json;
use axum::extract::Query;
use serde::Deserialize;

use super::super::page::{Page, PageParams, Paged};
use super::super::place::{InTenant, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{MessageView, receipts, view};
use crate::domain::Bucket;
use crate::storage::outbox::{self, deferred::deferred};

#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    state: Option<String>,
}

/// Messages out that are not done, or in doubt
///
/// Newest first. `state=open` (the default): queued, on their way or without an answer. `state=deferred`: waiting for an
/// hour (quiet hours, Meta's messaging limit). `state=doubted`: may have reached
/// the person twice, or not at all. What is done is found in its conversation's history and among the events.
#[utoipa::path(
    get, path = "/messages", operation_id = "messages.list", tag = "messages",
    params(
        PageParams, TenantParam,
        ("state" = Option<String>, Query, description = "`open`, `deferred` or `doubted`"),
    ),
    responses((status = 200, description = "A page", body = Paged<MessageView>)),
)]
pub(super) async fn list(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    page: Page,
    Query(filter): Query<Filter>,
) -> Answer<Json<Paged<MessageView>>> {
    let mut tx = api.setup.db.read().await?;
    let (before, most) = (page.before(), page.most());
    let rows = match filter.state.as_deref().unwrap_or("open") {
        state @ ("open" | "deferred") => {
            let snapshot = api.desk.directory.snapshot();
            let own = snapshot
                .numbers()
                .filter(|entry| entry.number.tenant == tenant);
            let buckets: Vec<Bucket> = own.map(|entry| entry.number.bucket()).collect();
            match state {
                "open" => outbox::open(&mut tx, tenant, &buckets, before, most).await?,
                _ => deferred(&mut tx, tenant, &buckets, before, most).await?,
            }
        }
        "doubted" => outbox::doubted(&mut tx, tenant, before, most).await?,
        _ => {
            return Err(Problem::bad_parameter(
                "state",
                "must be open, deferred or doubted",
            ));
        }
    };
    let receipts = receipts(&mut tx, tenant, &rows).await?;
    Ok(Json(page.of(
        rows,
        |row| row.draft.id.raw(),
        |row| view(&row, &receipts),
    )))
}
