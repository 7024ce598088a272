//! `GET /plugin-metrics`

use axum::Json;
use axum::extract::Query;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::moment::Moment;
use super::super::place::{InTenant, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use crate::domain::Timestamp;
use crate::storage::plugin_events;

const MOST: i64 = 1_000;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    plugin: Option<String>,
    since: Option<Moment>,
}

/// What plugins counted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PluginMetrics {
    items: Vec<PluginMetric>,
}

/// What a plugin counted in one hour.
#[derive(Debug, Serialize, ToSchema)]
struct PluginMetric {
    plugin: String,
    name: String,
    /// The hour's beginning.
    hour: Moment,
    /// How often it was counted.
    samples: i64,
    total: f64,
    least: f64,
    most: f64,
}

/// What plugins counted
///
/// By the hour, oldest first, at most 1,000 rows: ask again with `since` set to the last hour.
#[utoipa::path(
    get, path = "/plugin-metrics", operation_id = "plugins.metrics", tag = "plugins",
    params(
        TenantParam,
        ("plugin" = Option<String>, Query, description = "Only this plugin's, by its name"),
        ("since" = Option<String>, Query, description = "Only hours that begin then or later"),
    ),
    responses((status = 200, description = "Hours", body = PluginMetrics)),
)]
pub(super) async fn metrics(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Answer<Json<PluginMetrics>> {
    let unread = |_| Problem::bad_parameter("the query", "cannot be read");
    let Query(wanted) = wanted.map_err(unread)?;
    let since = wanted.since.map_or(Timestamp::ZERO, |moment| moment.0);
    let plugin = wanted.plugin.unwrap_or_default();
    let mut tx = api.setup.db.read().await?;
    let rows = plugin_events::metrics(&mut tx, tenant, &plugin, since, MOST).await?;
    let items = rows.into_iter().map(|row| PluginMetric {
        plugin: row.plugin,
        name: row.name,
        hour: Moment(Timestamp::from_millis(row.hour)),
        samples: row.samples,
        total: row.total,
        least: row.least,
        most: row.most,
    });
    Ok(Json(PluginMetrics {
        items: items.collect(),
    }))
}
