//! Meta apps: whose webhooks are taken. They are the operator's.

mod add_secret;
mod create;
mod delete;
mod get;
mod list;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::moment::Moment;
use crate::domain::AppId;
use crate::storage::apps::App;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, delete::delete))
        .routes(routes!(add_secret::add_secret))
}

/// A Meta app, without its secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = App)]
struct AppView {
    id: AppId,
    meta_app_id: String,
    name: String,
    /// The path of the callback URL to give to Meta.
    callback_path: String,
    /// It also answers at the callback URL without an app id.
    default: bool,
    created_at: Moment,
}

fn view(app: &App) -> AppView {
    AppView {
        id: app.id,
        meta_app_id: app.meta_app_id.clone(),
        name: app.name.clone(),
        callback_path: format!("/webhooks/whatsapp/{}", app.meta_app_id),
        default: app.is_default,
        created_at: Moment(app.created_at),
    }
}
