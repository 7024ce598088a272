//! `GET /plugins/{digest}/health`

use std::collections::BTreeMap;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::{Answer, State};
use super::Digest;
use crate::domain::rollout::{Sizes, Stage, Tally};
use crate::domain::{InstallationId, TenantId};
use crate::tenants::installations;

/// How an upload does, wherever it is installed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginHealth)]
pub(super) struct HealthView {
    digest: String,
    /// The operator has stopped it, and why.
    stopped: Option<String>,
    /// When it is stopped: the installations that are still to be moved on to what they can go back to.
    remaining: i64,
    /// All installations together.
    all: TallyView,
    installations: Vec<PartView>,
}

/// One version of an installation, in one stage.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginHealthPart)]
struct PartView {
    tenant: TenantId,
    installation: InstallationId,
    /// The version's number within the installation.
    seq: i64,
    stage: Stage,
    #[serde(flatten)]
    tally: TallyView,
}

/// Counts. Nothing of people is in them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginTally)]
struct TallyView {
    /// Turns in which it was called.
    turns: u64,
    /// Turns that it could not end, by kind of fault.
    faults: BTreeMap<String, u64>,
    /// Units of fuel in a turn.
    fuel: QuantilesView,
    /// Microseconds in a turn, without what it waited for other servers.
    microseconds: QuantilesView,
    /// In shadow: turns in which it wanted what the active version did.
    same: u64,
    /// In shadow: turns in which it wanted something else.
    different: u64,
    /// In canary: turns that the active version took over.
    fell_back: u64,
    /// Messages that it rejected; as a candidate, those that the active version does not reject as well.
    rejected: u64,
}

/// What so many of a hundred turns do not exceed, exact to a fifth; `null` while there is none.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginQuantiles)]
struct QuantilesView {
    p50: Option<u64>,
    p90: Option<u64>,
    p99: Option<u64>,
}

fn quantiles(sizes: &Sizes) -> QuantilesView {
    QuantilesView {
        p50: sizes.quantile(0.5),
        p90: sizes.quantile(0.9),
        p99: sizes.quantile(0.99),
    }
}

fn tally_view(tally: &Tally) -> TallyView {
    TallyView {
        turns: tally.turns,
        faults: tally.faults.clone(),
        fuel: quantiles(&tally.fuel),
        microseconds: quantiles(&tally.latency),
        same: tally.same,
        different: tally.different,
        fell_back: tally.fell_back,
        rejected: tally.rejected,
    }
}

/// How an upload does
///
/// Counts, kinds of faults, fuel and time of every installation that has it: the tenant's own, or for operators those of
/// all tenants. Candidates are up to date within a second, active versions within a quarter of a minute.
#[utoipa::path(
    get, path = "/plugins/{digest}/health", operation_id = "plugins.health", tag = "plugins",
    params(("digest" = String, Path, description = "SHA-256 of the component"), TenantParam),
    responses((status = 200, description = "Its health", body = HealthView)),
)]
pub(super) async fn health(
    axum::extract::State(api): State,
    Realm(realm): Realm,
    ObjectId(Digest(digest)): ObjectId<Digest>,
) -> Answer<Json<HealthView>> {
    let health = installations::health(&api.setup, realm, &digest).await?;
    let stop = installations::stop_of(&api.setup, realm, &digest).await?;
    let remaining = stop.as_ref().map_or(0, |(_, left)| *left);
    let parts = health.parts.iter().map(|(part, tally)| PartView {
        tenant: part.tenant,
        installation: part.installation,
        seq: part.seq,
        stage: part.stage,
        tally: tally_view(tally),
    });
    Ok(Json(HealthView {
        digest,
        stopped: stop.map(|(stop, _)| stop.reason),
        remaining,
        all: tally_view(&health.all),
        installations: parts.collect(),
    }))
}
