//! Changing an installation in place: settings, grants, position, bounds. And taking it out.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::ceiling::ceiling_of;
use super::super::error::Refusals;
use super::super::{Expected, Result, SetupContext, SetupError};
use super::giving::{Terms, check_grants, given, taken_from_all};
use super::{
    Changing, check_bounds, find_one, manifest_of, names, revision_of, settings_for, shown,
};
use crate::domain::rollout::{Bounds, Stage};
use crate::domain::{InstallationId, TenantId};
use crate::plugin_host::Compiler;
use crate::storage::installations::{self, Installation};
use crate::storage::plugin_versions::{self, Version};

/// What is to be changed; what is left out stays.
#[derive(Debug, Clone, Default)]
pub struct InstallationChange {
    pub position: Option<i64>,
    pub bounds: Option<Bounds>,
    /// A JSON object: replaces all settings.
    pub config: Option<String>,
    /// Replaces all grants.
    pub grants: Option<BTreeSet<String>>,
    /// Whose settings and grants: of the candidate, not of the active version.
    pub of_candidate: bool,
}

/// Changes an installation. The settings are checked before the transaction, as they are when it is installed.
pub async fn change(
    setup: &SetupContext,
    compiler: &Compiler,
    tenant: TenantId,
    id: InstallationId,
    expected: &Expected,
    change: &InstallationChange,
) -> Result<Installation> {
    let seen = find_one(setup, tenant, id).await?;
    expected.check(&revision_of(&seen))?;
    let version = meant(&seen, change.of_candidate).cloned();
    let config = look(setup, compiler, &seen, version.as_ref(), change).await?;
    let mut changing = Changing::begin(setup, tenant, id).await?;
    expected.check(&revision_of(&changing.installation))?;
    let installation = &mut changing.installation;
    installation.position = change.position.unwrap_or(installation.position);
    installation.bounds = change.bounds.unwrap_or(installation.bounds);
    if config.is_some() || change.grants.is_some() {
        let now = meant(&changing.installation, change.of_candidate).cloned();
        // Checked against this version and what it had: it must still be there.
        let checked = |now: &Version, seen: &Version| {
            now.seq == seen.seq && (change.grants.is_none() || now.grants == seen.grants)
        };
        let mut now = now
            .filter(|now| version.as_ref().is_some_and(|seen| checked(now, seen)))
            .ok_or(SetupError::Changed)?;
        let before = now.clone();
        now.config = config.unwrap_or(now.config);
        if let Some(grants) = &change.grants {
            let given = given(setup, Some(&now), grants);
            now.grants = json!(grants).to_string();
            now.granted_by = given.by;
            now.granted_at = given.at;
            now.inherited = given.inherited;
        }
        changing.write(&now).await?;
        if !change.of_candidate || changing.installation.active().is_none() {
            let kept = plugin_versions::of_installation(&mut changing.tx, tenant, id).await?;
            for version in taken_from_all(&before, &now, kept) {
                changing.write(&version).await?;
            }
        }
        if !change.of_candidate {
            // Other settings may be what was missing.
            changing.installation.breaker = None;
        }
    }
    changing.end("plugin.change").await
}

/// Says what would be wrong with it, and does nothing.
pub async fn check_change(
    setup: &SetupContext,
    compiler: &Compiler,
    tenant: TenantId,
    id: InstallationId,
    expected: &Expected,
    change: &InstallationChange,
) -> Result<()> {
    let seen = find_one(setup, tenant, id).await?;
    expected.check(&revision_of(&seen))?;
    let version = meant(&seen, change.of_candidate);
    look(setup, compiler, &seen, version, change)
        .await
        .map(drop)
}

/// The settings as the version is to see them, if there are others. Everything that is wrong is told at once.
async fn look(
    setup: &SetupContext,
    compiler: &Compiler,
    seen: &Installation,
    version: Option<&Version>,
    change: &InstallationChange,
) -> Result<Option<String>> {
    let mut wrong = Refusals::default();
    wrong.note(change.bounds.as_ref().map_or(Ok(()), check_bounds))?;
    let of_version = change.config.is_some() || change.grants.is_some();
    let version = match of_version {
        true => wrong.note(version.ok_or_else(no_version))?,
        false => None,
    };
    let mut config = None;
    if let Some(version) = version {
        if let Some(grants) = &change.grants {
            let terms = Terms {
                plugin: &seen.plugin,
                asked: &names(&version.asked),
                held: &names(&version.grants),
                ceiling: &ceiling_of(setup, seen.tenant).await?,
                giver: setup.giver,
            };
            wrong.note(check_grants(&terms, grants))?;
        }
        if let Some(asked) = &change.config {
            let mut tx = setup.db.read().await?;
            let manifest = manifest_of(&mut tx, seen.tenant, &version.digest).await?;
            drop(tx);
            config = wrong.note(settings_for(compiler, &manifest, asked).await)?;
        }
    }
    wrong.end(Some(config))
}

fn no_version() -> SetupError {
    SetupError::state("the installation has no such version")
}

fn meant(installation: &Installation, candidate: bool) -> Option<&Version> {
    match candidate {
        true => installation.candidate(),
        false => installation.active().or(installation.candidate()),
    }
}

/// Takes an installation out of service. Turns that are under way with it commit nothing.
pub async fn remove(setup: &SetupContext, tenant: TenantId, id: InstallationId) -> Result<()> {
    let mut changing = Changing::begin(setup, tenant, id).await?;
    let reason = format!("removed by {}", setup.by.label());
    for version in changing.installation.versions.clone() {
        changing
            .place(version, Stage::Retired, reason.clone())
            .await?;
    }
    installations::retire(&mut changing.tx, tenant, id).await?;
    let was = Some(shown(&changing.installation));
    setup
        .record(&mut changing.tx, tenant, "plugin.remove", id, was, None)
        .await?;
    setup.commit_and_wake(changing.tx).await
}
