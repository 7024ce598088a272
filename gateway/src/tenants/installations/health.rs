//! How an upload does, wherever it is installed: counts, kinds of faults, fuel and time. Nothing of people is in it.

use std::collections::BTreeMap;

use super::super::{Result, SetupContext, SetupError};
use crate::audit::OPERATOR;
use crate::domain::TenantId;
use crate::domain::rollout::Tally;
use crate::storage::components;
use crate::storage::plugin_health::{self, Part};

/// One upload's health.
#[derive(Debug, Clone)]
pub struct Health {
    /// Each version of an installation, in each stage that it was in.
    pub parts: BTreeMap<Part, Tally>,
    /// All of them together.
    pub all: Tally,
}

/// The health of a digest: at one tenant, or for the operator at all of them.
pub async fn health(setup: &SetupContext, realm: TenantId, digest: &str) -> Result<Health> {
    let mut tx = setup.db.read().await?;
    let (known, parts) = if realm == OPERATOR {
        (
            components::is_known_all_tenants(&mut tx, digest).await?,
            plugin_health::of_digest_all_tenants(&mut tx, digest).await?,
        )
    } else {
        (
            components::component(&mut tx, realm, digest)
                .await?
                .is_some(),
            plugin_health::of_digest(&mut tx, realm, digest).await?,
        )
    };
    if !known {
        return Err(SetupError::not_found("digest", digest));
    }
    let mut all = Tally::default();
    parts.values().for_each(|tally| all.add(tally));
    Ok(Health { parts, all })
}
