//! `GET /apps/{app}`

use axum::Json;

use super::super::place::ObjectId;
use super::super::problem::Problem;
use super::super::{Answer, State};
use super::{AppView, view};
use crate::domain::AppId;
use crate::tenants::apps;

/// One app
#[utoipa::path(
    get, path = "/apps/{app}", operation_id = "apps.get", tag = "apps",
    params(("app" = AppId, Path)),
    responses((status = 200, description = "The app", body = AppView)),
)]
pub(super) async fn get(
    axum::extract::State(api): State,
    ObjectId(id): ObjectId<AppId>,
) -> Answer<Json<AppView>> {
    let apps = apps::list(&api.setup).await?;
    let app = apps.iter().find(|app| app.id == id);
    let app = app.ok_or_else(|| Problem::no_such("app", &id.to_string()))?;
    Ok(Json(view(app)))
}
