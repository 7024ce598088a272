//! `GET /installations/{installation}/logs`

use axum::Json;
use axum::extract::Query;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::moment::Moment;
use super::super::place::{InTenant, ObjectId, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, State};
use crate::domain::{InstallationId, TurnId};
use crate::tenants::installations::{self, LogCursor, LogEntry};

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogParams {
    /// `next` of the answer before, or the id of a turn. Left out: from a quarter of an hour ago.
    after: Option<String>,
}

/// Lines, and where to go on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PluginLogs {
    items: Vec<LogLineView>,
    /// Ask again with it for what comes later. Its form may change.
    #[schema(value_type = String)]
    next: LogCursor,
    /// There is more already: ask again at once.
    more: bool,
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
/// with `next` as long as there is `more`, and then now and again for what is new.
///
/// A turn that takes long, because its plugins wait for other servers, stands behind turns that ended before it. So that
/// none is missed, `next` goes back ten seconds when there is no `more`, and two and a half minutes twice a minute: lines of
/// these turns are told again. All lines of a turn stand in one answer, so leave out turns that you have had. A turn that was
/// committed later than that after its beginning is not told.
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
    let read = |text: &String| {
        let wrong = |_| Problem::bad_parameter("after", "is no `next` of this list");
        text.parse::<LogCursor>().map_err(wrong)
    };
    let after = params.after.as_ref().map(read).transpose()?;
    let page = installations::logs(&api.setup, tenant, installation, after).await?;
    Ok(Json(PluginLogs {
        items: page.lines.into_iter().map(view).collect(),
        next: page.next,
        more: page.more,
    }))
}
