//! Installations: what runs for a tenant, in which version, with which settings and grants. `docs/plugins-life.md` tells
//! the story. To stop what one says, place a hold on it.

mod get;
mod install;
mod list;
mod logs;
mod pause;
mod promote;
mod remove;
mod replay;
mod resume;
mod roll_back;
mod update;
mod versions;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use super::etag::Tagged;
use super::moment::Moment;
use crate::domain::breaker::Breaker;
use crate::domain::rollout::{Bounds, Stage};
use crate::domain::{InstallationId, NumberId, Timestamp};
use crate::storage::installations::Installation;
use crate::storage::plugin_versions::Version;
use crate::tenants::installations::{GivenBefore, inherited, revision_of};

pub(super) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list::list, install::install))
        .routes(routes!(get::get, update::update, remove::remove))
        .routes(routes!(versions::versions))
        .routes(routes!(promote::promote))
        .routes(routes!(pause::pause))
        .routes(routes!(resume::resume))
        .routes(routes!(roll_back::roll_back))
        .routes(routes!(logs::logs))
        .routes(routes!(replay::replay))
}

/// Where the fields of services stand in these bodies.
const NAMED: [(&str, &str); 7] = [
    ("number", "/number"),
    ("digest", "/digest"),
    ("the settings", "/settings"),
    ("the grants", "/grants"),
    ("the percentage", "/percent"),
    ("the bounds:", "/bounds"),
    ("version", "/to"),
];

/// A plugin's place at a tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Installation)]
struct InstallationView {
    id: InstallationId,
    /// `null`: for every number of the tenant.
    number: Option<NumberId>,
    plugin: String,
    /// Plugins of a turn run in this order.
    position: i64,
    /// Nothing of it runs.
    paused: bool,
    /// When a candidate goes by itself, or a version that was promoted lately.
    bounds: Bounds,
    /// Of the active version, while it is open: it failed too often, and turns fall back without it.
    breaker: Option<BreakerView>,
    /// What answers.
    active: Option<VersionView>,
    /// What is on its way into service.
    candidate: Option<VersionView>,
    installed_at: Moment,
}

/// An open breaker.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginBreaker)]
struct BreakerView {
    /// Why it opened.
    reason: String,
    opened_at: Moment,
    /// From then on single turns try the version; when enough of them go well it closes.
    tried_from: Moment,
}

fn breaker_view(breaker: &Breaker) -> BreakerView {
    BreakerView {
        reason: breaker.reason.clone(),
        opened_at: Moment(Timestamp::from_millis(breaker.opened_at)),
        tried_from: Moment(Timestamp::from_millis(breaker.probe_at)),
    }
}

/// A version in an installation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginVersion)]
struct VersionView {
    /// Its number within the installation.
    seq: i64,
    version: String,
    /// SHA-256 of the component.
    digest: String,
    stage: Stage,
    /// Of the conversations, while in canary.
    percent: i64,
    /// As the plugin sees them: the schema's defaults are filled in.
    #[schema(value_type = Object)]
    settings: Value,
    grants: GrantsView,
    /// When it came where it is.
    since: Moment,
    /// Why it is there.
    reason: String,
    installed_at: Moment,
}

/// What a version may use.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginGrants)]
struct GrantsView {
    asked: Vec<String>,
    given: Vec<String>,
    /// Who gave them, but for those that are inherited.
    given_by: String,
    given_at: Moment,
    /// Those of them that an earlier version had already, and who gave them.
    inherited: Vec<InheritedView>,
    /// Those of them that are not used: they are above what the operator lets plugins of this tenant have (`grant_ceiling` of
    /// its settings).
    withheld: Vec<String>,
}

/// A grant that was given before the others.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginGrantInherited)]
struct InheritedView {
    grant: String,
    given_by: String,
    given_at: Moment,
}

fn version_view(version: &Version) -> VersionView {
    VersionView {
        seq: version.seq,
        version: version.version.clone(),
        digest: version.digest.clone(),
        stage: version.stage,
        percent: version.percent,
        settings: serde_json::from_str(&version.config).unwrap_or(Value::Null),
        grants: GrantsView {
            asked: serde_json::from_str(&version.asked).unwrap_or_default(),
            given: serde_json::from_str(&version.grants).unwrap_or_default(),
            given_by: version.granted_by.clone(),
            given_at: Moment(version.granted_at),
            inherited: inherited(version).into_iter().map(inherited_view).collect(),
            withheld: version.withheld.clone(),
        },
        since: Moment(version.changed_at),
        reason: version.reason.clone(),
        installed_at: Moment(version.created_at),
    }
}

fn inherited_view((grant, given): (String, GivenBefore)) -> InheritedView {
    InheritedView {
        grant,
        given_by: given.by,
        given_at: Moment(Timestamp::from_millis(given.at)),
    }
}

fn view(installation: &Installation) -> InstallationView {
    InstallationView {
        id: installation.id,
        number: installation.number,
        plugin: installation.plugin.clone(),
        position: installation.position,
        paused: installation.paused,
        bounds: installation.bounds,
        breaker: installation.open_breaker().map(breaker_view),
        active: installation.active().map(version_view),
        candidate: installation.candidate().map(version_view),
        installed_at: Moment(installation.created_at),
    }
}

fn tagged(installation: &Installation) -> Tagged<InstallationView> {
    Tagged {
        revision: revision_of(installation),
        body: view(installation),
    }
}
