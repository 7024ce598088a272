//! `GET /plugins/{digest}/health`

use std::collections::BTreeMap;

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::guard::Caller;
use super::super::page::{Page, PageParams};
use super::super::place::{ObjectId, Realm, TenantParam};
use super::super::{Answer, State};
use super::Digest;
use crate::access::Role;
use crate::domain::rollout::{Sizes, Stage, Tally};
use crate::storage::plugin_sight::InUse;
use crate::tenants::installations::{self, SeenPart, Viewer};

/// How an upload does, wherever it is installed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginHealth)]
pub(super) struct HealthView {
    digest: String,
    /// The operator has stopped it, and why.
    stopped: Option<String>,
    /// When it is stopped: the installations that are still to be moved on to what they can go back to.
    remaining: i64,
    /// You see it as its author: every installation of it, other tenants' under pseudonyms.
    as_author: bool,
    /// All installations together, those of other pages too.
    all: TallyView,
    /// Which versions of the plugin stand in how many installations: of those that you see, the 200 that most have.
    in_use: Vec<InUseView>,
    /// A page of them.
    installations: Vec<PartView>,
    /// Where the next page begins; `null` on the last one.
    next_cursor: Option<String>,
}

/// How many installations have a version in a stage.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginInUse)]
struct InUseView {
    digest: String,
    version: String,
    stage: Stage,
    installations: i64,
}

/// One version of an installation, in one stage.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PluginHealthPart)]
struct PartView {
    /// `ten_…`; where an author sees another tenant's: a pseudonym, `anon_…`, that stays the same for this author and digest.
    tenant: String,
    /// `ins_…`, or such a pseudonym.
    installation: String,
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
/// all tenants. Keys with the role `plugin_author` or `tenant_admin` of the tenant that is named as the author of an upload
/// for all tenants see those of all tenants too, without learning whose they are; what a tenant runs of its own upload of the
/// same bytes is not among them. Candidates are up to date within a second, active versions within a quarter of a minute.
#[utoipa::path(
    get, path = "/plugins/{digest}/health", operation_id = "plugins.health", tag = "plugins",
    params(("digest" = String, Path, description = "SHA-256 of the component"), TenantParam, PageParams),
    responses((status = 200, description = "Its health", body = HealthView)),
)]
pub(super) async fn health(
    axum::extract::State(api): State,
    caller: Caller,
    Realm(realm): Realm,
    ObjectId(Digest(digest)): ObjectId<Digest>,
    page: Page,
) -> Answer<Json<HealthView>> {
    let viewer = Viewer {
        realm,
        may_be_author: caller.principal.role().is_some_and(looks_as_author),
    };
    let (after, most) = (page.after_key(), page.most());
    let health = installations::health(&api.setup, viewer, &digest, &after, most).await?;
    let parts = page.of_keyed(health.parts, SeenPart::key, part_view);
    let (stopped, remaining) = health.stopped.unzip();
    Ok(Json(HealthView {
        digest,
        stopped: stopped.map(|stop| stop.reason),
        remaining: remaining.unwrap_or(0),
        as_author: health.as_author,
        all: tally_view(&health.all),
        in_use: health.in_use.into_iter().map(in_use_view).collect(),
        installations: parts.items,
        next_cursor: parts.next_cursor,
    }))
}

/// Who works for the author of a plugin on the plugin itself, and operators, who see what the author sees.
fn looks_as_author(role: Role) -> bool {
    matches!(
        role,
        Role::PluginAuthor | Role::TenantAdmin | Role::Operator
    )
}

fn part_view(part: SeenPart) -> PartView {
    PartView {
        tenant: part.tenant,
        installation: part.installation,
        seq: part.seq,
        stage: part.stage,
        tally: tally_view(&part.tally),
    }
}

fn in_use_view(version: InUse) -> InUseView {
    InUseView {
        digest: version.digest,
        version: version.version,
        stage: version.stage,
        installations: version.installations,
    }
}
