//! Business phone numbers.

mod create;
mod delete;
mod get;
mod list;
mod update;

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::etag::Tagged;
use super::moment::Moment;
use crate::domain::number::Number;
use crate::domain::{AppId, CredentialId, NumberId};
use crate::tenants::numbers;

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, update::update, delete::delete))
}

/// A business phone number.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Number)]
struct NumberView {
    id: NumberId,
    /// The app whose webhooks speak for it.
    app: AppId,
    /// The access token that it sends with.
    credential: CredentialId,
    /// The scope of its customers' business-scoped user ids.
    portfolio: String,
    waba_id: String,
    phone_number_id: String,
    display_number: String,
    time_zone: String,
    /// Messages a second.
    throughput: i64,
    connected_at: Moment,
    /// It was disconnected then: only its past is here.
    removed_at: Option<Moment>,
}

fn view(number: &Number) -> NumberView {
    NumberView {
        id: number.id,
        app: number.app,
        credential: number.credential,
        portfolio: number.portfolio.clone(),
        waba_id: number.waba_id.clone(),
        phone_number_id: number.phone_number_id.clone(),
        display_number: number.display_number.clone(),
        time_zone: number.time_zone.clone(),
        throughput: number.throughput,
        connected_at: Moment(number.connected_at),
        removed_at: None,
    }
}

fn tagged(number: &Number) -> Tagged<NumberView> {
    Tagged {
        revision: numbers::revision_of(number),
        body: view(number),
    }
}
