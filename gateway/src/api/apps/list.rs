//! `GET /apps`

use axum::Json;

use super::super::page::Paged;
use super::super::{Answer, State};
use super::{AppView, view};
use crate::tenants::apps;

/// Every app
///
/// There are few: one page has them all.
#[utoipa::path(
    get, path = "/apps", operation_id = "apps.list", tag = "apps",
    responses((status = 200, description = "All of them", body = Paged<AppView>)),
)]
pub(super) async fn list(axum::extract::State(api): State) -> Answer<Json<Paged<AppView>>> {
    let apps = apps::list(&api.setup).await?;
    Ok(Json(Paged {
        items: apps.iter().map(view).collect(),
        next_cursor: None,
    }))
}
