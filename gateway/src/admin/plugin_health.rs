//! `plugin health` by the command line.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::{Answer, record};
use super::error::AdminError;
use super::plugins::LIST_MOST;
use crate::domain::TenantId;
use crate::domain::rollout::{Sizes, Tally};
use crate::storage::plugin_sight::InUse;
use crate::tenants::SetupContext;
use crate::tenants::installations::{self, PartKey, Viewer};

/// Each version in each of its stages, or where which version of the plugin stands.
pub(super) async fn answer(
    setup: &SetupContext,
    realm: TenantId,
    digest: &str,
    in_use: bool,
) -> Result<Answer, AdminError> {
    let viewer = Viewer {
        realm,
        // What a tenant sees who is its author.
        may_be_author: true,
    };
    let (first, most) = (PartKey::default(), LIST_MOST);
    let health = installations::health(setup, viewer, digest, &first, most).await?;
    if in_use {
        return Ok(Answer::List(
            health.in_use.iter().map(in_use_record).collect(),
        ));
    }
    let rows = health.parts.iter().map(|part| {
        let mut row = tally_record(&part.tally);
        row.extend(record! {
            "installation" => part.installation,
            "tenant" => part.tenant,
            "seq" => part.seq,
            "stage" => part.stage,
        });
        row
    });
    Ok(Answer::List(rows.collect()))
}

fn in_use_record(version: &InUse) -> BTreeMap<String, Value> {
    record! {
        "digest" => version.digest,
        "version" => version.version,
        "stage" => version.stage,
        "installations" => version.installations,
    }
}

fn tally_record(tally: &Tally) -> BTreeMap<String, Value> {
    let faults = tally.faults.iter();
    let faults: Vec<String> = faults.map(|(kind, n)| format!("{kind} {n}")).collect();
    let quantiles = |sizes: &Sizes| {
        let at = [0.5, 0.9, 0.99].map(|part| sizes.quantile(part).unwrap_or(0));
        json!(at)
    };
    record! {
        "turns" => tally.turns,
        "faults" => faults,
        "fuel_p50_p90_p99" => quantiles(&tally.fuel),
        "us_p50_p90_p99" => quantiles(&tally.latency),
        "same" => tally.same,
        "different" => tally.different,
        "fell_back" => tally.fell_back,
        "rejected" => tally.rejected,
    }
}
