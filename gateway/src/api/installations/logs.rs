//! `GET /installations/{installation}/logs`

use std::time::Duration;

use axum::Json;
use axum::extract::Query;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::moment::Moment;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use crate::domain::{InstallationId, TurnId, id};
use crate::tenants::installations::{self, LogEntry};

/// Journals that one request reads.
const JOURNALS: i64 = 500;
/// How far back a first request begins.
const SINCE: Duration = Duration::from_secs(900);

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogParams {
    /// `next` of the answer before. Left out: from a quarter of an hour ago.
    after: Option<String>,
}

/// Lines, and where to go on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PluginLogs {
    items: Vec<LogLineView>,
    /// Ask again with it for what comes later.
    #[schema(value_type = String)]
    next: TurnId,
}

/// One line.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginLogLine)]
struct LogLineView {
    #[schema(value_type = String)]
    turn: TurnId,
    at: Moment,
    hook: String,
    /// `debug`, `info`, `warn`, `error`; `fault`: what the gateway says of a call that failed.
    level: String,
    /// A version in shadow wrote it, or a canary that failed.
    trial: bool,
    message: String,
}

fn view(entry: LogEntry) -> LogLineView {
    LogLineView {
        turn: entry.turn,
        at: Moment(entry.at),
        hook: entry.hook,
        level: entry.level,
        trial: entry.trial,
        message: entry.message,
    }
}

/// What a plugin wrote to its log
///
/// With its faults, oldest first. An answer reads a few hundred turns and may have no line of the plugin's: ask again
/// with `next` until it stays the same, and then now and again for what is new.
#[utoipa::path(
    get, path = "/installations/{installation}/logs", operation_id = "installations.logs", tag = "plugins",
    params(("installation" = InstallationId, Path), TenantParam, LogParams),
    responses((status = 200, description = "Lines", body = PluginLogs)),
)]
pub(super) async fn logs(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    ObjectId(installation): ObjectId<InstallationId>,
    params: Query<LogParams>,
) -> Answer<Json<PluginLogs>> {
    let since = api.setup.clock.now().minus(SINCE);
    let after: TurnId = match &params.after {
        None => TurnId::from_raw(id::first_id_at(since)),
        Some(text) => {
            let wrong = |_| Problem::bad_parameter("after", "is no `next` of this list");
            text.parse().map_err(wrong)?
        }
    };
    let (items, next) =
        installations::logs(&api.setup, tenant, installation, after, JOURNALS).await?;
    let items = items.into_iter().map(view).collect();
    Ok(Json(PluginLogs { items, next }))
}
