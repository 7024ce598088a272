//! The life of plugins at tenants: uploaded, installed, tried in shadow and canary, active, rolled back, stopped.
//!
//! Every change bumps the counter of setup before it looks at anything, so changes come one after another, and moves
//! the installation's generation: a turn that began before commits nothing after it. `docs/plugins-life.md` is the
//! story of it for people.

mod breaker;
mod change;
mod giving;
mod health;
mod install;
mod logs;
mod pseudonym;
mod recompile;
mod rollout;
mod standing;
mod stop;
mod successor;
mod upload;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::ceiling::{GrantCeiling, ceiling};
use super::tenant::json_object;
use super::{Result, SetupContext, SetupError, revision};
use crate::domain::rollout::Stage;
use crate::domain::{InstallationId, NumberId, TenantId};
use crate::plugin_host::{ArtifactId, ArtifactKey, Compiler, Manifest, PLUGINS_PER_TURN};
use crate::storage::installations::{self, Installation};
use crate::storage::plugin_versions::{self, Version};
use crate::storage::{Tx, changes, components};

pub use breaker::{Tripped, close as close_breaker, step_back, trip};
pub use change::{InstallationChange, change, check_change, remove};
pub use giving::{GivenBefore, inherited};
pub use health::{Health, PartKey, SeenPart, Viewer, health};
pub use install::{NewInstallation, Source, check_install, install};
pub use logs::{LogCursor, LogEntry, LogPage, logs};
pub use recompile::{Recompiler, Wanted};
pub use rollout::{Promotion, Rollback, pause, promote, resume, roll_back, roll_back_by_itself};
pub use standing::standing;
pub use stop::{Moved, Stopped, allow, move_some, stop, tell_moved};
pub use upload::{
    Authorship, NewUpload, Uploaded, find as find_upload, page as page_of_uploads, upload,
};

/// An installation.
pub async fn find_one(
    setup: &SetupContext,
    tenant: TenantId,
    id: InstallationId,
) -> Result<Installation> {
    let mut tx = setup.db.read().await?;
    required(&mut tx, tenant, id).await
}

/// Whose it is, for operators, who name an installation alone.
pub async fn tenant_of(setup: &SetupContext, id: InstallationId) -> Result<TenantId> {
    let mut tx = setup.db.read().await?;
    installations::tenant_of_all_tenants(&mut tx, id)
        .await?
        .ok_or_else(|| SetupError::not_found("installation", &id.to_string()))
}

/// Installations after an id, oldest first.
pub async fn page(
    setup: &SetupContext,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<Installation>> {
    let mut tx = setup.db.read().await?;
    let mut page = installations::installations_of(&mut tx, tenant, after, most).await?;
    let ceiling = ceiling(&mut tx, tenant).await?;
    for installation in &mut page {
        show_withheld(&ceiling, &mut installation.versions);
    }
    Ok(page)
}

/// All versions that are kept, the newest first.
pub async fn versions(
    setup: &SetupContext,
    tenant: TenantId,
    id: InstallationId,
) -> Result<Vec<Version>> {
    let mut tx = setup.db.read().await?;
    required(&mut tx, tenant, id).await?;
    let mut versions = plugin_versions::of_installation(&mut tx, tenant, id).await?;
    show_withheld(&ceiling(&mut tx, tenant).await?, &mut versions);
    versions.reverse();
    Ok(versions)
}

/// What an installation says now, in short: for whoever edits it. What is withheld by the operator's ceiling is part of what
/// they have read, though it moves nothing of the installation.
pub fn revision_of(installation: &Installation) -> String {
    let version = |v: &Version| json!([v.seq, v.stage, v.percent, v.config, v.grants, v.withheld]);
    let versions: Vec<Value> = installation.versions.iter().map(version).collect();
    revision(&json!([
        installation.position,
        installation.paused,
        installation.bounds,
        installation.open_breaker(),
        versions
    ]))
}

/// The text by which an artifact's engine is known in the database.
pub fn engine_name(id: &ArtifactId) -> String {
    let format = ArtifactKey::FORMAT;
    format!("{} {:016x} {format}", id.wasmtime, id.compatibility)
}

async fn required(tx: &mut Tx, tenant: TenantId, id: InstallationId) -> Result<Installation> {
    let found = installations::installation(tx, tenant, id).await?;
    let mut found = found.ok_or_else(|| SetupError::not_found("installation", &id.to_string()))?;
    show_withheld(&ceiling(tx, tenant).await?, &mut found.versions);
    Ok(found)
}

/// Says which grants versions do not use though they were given.
fn show_withheld(ceiling: &GrantCeiling, versions: &mut [Version]) {
    for version in versions {
        version.withheld = ceiling.above(&version.grants);
    }
}

/// As the audit log shows it: settings may hold what the tenant thinks a secret, so they are left out.
fn shown(installation: &Installation) -> Value {
    let version = |v: &Version| {
        json!({
            "seq": v.seq,
            "version": v.version,
            "digest": v.digest,
            "stage": v.stage,
            "percent": v.percent,
            "grants": names(&v.grants),
        })
    };
    json!({
        "plugin": installation.plugin,
        "number": installation.number,
        "position": installation.position,
        "paused": installation.paused,
        "bounds": installation.bounds,
        "breaker": installation.open_breaker().map(|open| &open.reason),
        "versions": installation.versions.iter().map(version).collect::<Vec<_>>(),
    })
}

/// Names as a column holds them.
fn names(text: &str) -> BTreeSet<String> {
    serde_json::from_str(text).unwrap_or_default()
}

/// A change of one installation under way: nobody else changes setup until it ends.
struct Changing<'a> {
    setup: &'a SetupContext,
    tx: Tx,
    tenant: TenantId,
    installation: Installation,
    was: Value,
    /// It comes into service with a version, and had none there.
    begins_to_serve: bool,
}

impl<'a> Changing<'a> {
    async fn begin(
        setup: &'a SetupContext,
        tenant: TenantId,
        id: InstallationId,
    ) -> Result<Changing<'a>> {
        let mut tx = setup.db.begin().await?;
        changes::bump_setup_all_tenants(&mut tx).await?;
        Self::within(setup, tx, tenant, id).await
    }

    async fn within(
        setup: &'a SetupContext,
        mut tx: Tx,
        tenant: TenantId,
        id: InstallationId,
    ) -> Result<Changing<'a>> {
        let installation = required(&mut tx, tenant, id).await?;
        Ok(Self {
            setup,
            tx,
            tenant,
            was: shown(&installation),
            installation,
            begins_to_serve: false,
        })
    }

    /// The version that may come into service.
    fn candidate(&self) -> Result<Version> {
        let candidate = self.installation.candidate().cloned();
        candidate.ok_or_else(|| SetupError::state("the installation has no candidate"))
    }

    async fn all_versions(&mut self) -> Result<Vec<Version>> {
        let id = self.installation.id;
        Ok(plugin_versions::of_installation(&mut self.tx, self.tenant, id).await?)
    }

    async fn write(&mut self, version: &Version) -> Result<()> {
        let id = self.installation.id;
        Ok(plugin_versions::update(&mut self.tx, self.tenant, id, version).await?)
    }

    /// Puts a version where it shall stand.
    async fn place(&mut self, mut version: Version, stage: Stage, reason: String) -> Result<()> {
        version.stage = stage;
        version.reason = reason;
        version.changed_at = self.setup.clock.now();
        if stage != Stage::Canary {
            version.percent = 0;
        }
        if stage != Stage::Active {
            version.instead_of = 0;
        } else {
            version.good = true;
            self.begins_to_serve = self.installation.active().is_none();
            // What it did when it was here before is over.
            self.installation.breaker = None;
        }
        if !stage.is_candidate() {
            let id = self.installation.id;
            crate::storage::plugin_health::forget_loaded(
                &mut self.tx,
                self.tenant,
                id,
                version.seq,
            )
            .await?;
        }
        self.write(&version).await
    }

    /// Takes the active version out; `good`: one may come back to it.
    async fn retire_active(&mut self, reason: &str, good: bool) -> Result<()> {
        if let Some(mut active) = self.installation.active().cloned() {
            active.good = good;
            self.place(active, Stage::Retired, reason.to_owned())
                .await?;
        }
        Ok(())
    }

    async fn manifest(&mut self, version: &Version) -> Result<Manifest> {
        manifest_of(&mut self.tx, self.tenant, &version.digest).await
    }

    /// May both write the same memory, one after the other?
    async fn share_state(&mut self, one: &Version, other: &Version) -> Result<bool> {
        let (one, other) = (self.manifest(one).await?, self.manifest(other).await?);
        Ok(one.shares_state_with(&other))
    }

    /// Writes the rest, with the audit log, within the transaction.
    async fn record(&mut self, action: &'static str) -> Result<Installation> {
        self.forget_oldest().await?;
        let (tenant, id) = (self.tenant, self.installation.id);
        if self.begins_to_serve && self.installation.number.is_some() {
            // Turns that began before may know nothing of this installation.
            installations::outdate_place(&mut self.tx, tenant, &self.installation).await?;
        }
        installations::update(&mut self.tx, tenant, &self.installation).await?;
        let now = required(&mut self.tx, tenant, id).await?;
        let became = Some(shown(&now));
        let was = Some(std::mem::take(&mut self.was));
        self.setup
            .record(&mut self.tx, tenant, action, id, was, became)
            .await?;
        Ok(now)
    }

    /// Commits; from then on no turn that began before commits anything of this installation.
    async fn end(mut self, action: &'static str) -> Result<Installation> {
        let now = self.record(action).await?;
        self.setup.commit_and_wake(self.tx).await?;
        Ok(now)
    }

    async fn forget_oldest(&mut self) -> Result<()> {
        let id = self.installation.id;
        for seq in successor::too_old(&self.all_versions().await?) {
            plugin_versions::forget(&mut self.tx, self.tenant, id, seq).await?;
        }
        Ok(())
    }
}

async fn manifest_of(tx: &mut Tx, tenant: TenantId, digest: &str) -> Result<Manifest> {
    let text = components::manifest(tx, tenant, digest).await?;
    let text = text.ok_or_else(|| SetupError::not_found("digest", digest))?;
    read_manifest(&text)
}

fn read_manifest(text: &str) -> Result<Manifest> {
    serde_json::from_str(text)
        .map_err(|error| SetupError::Engine(format!("a stored manifest: {error}")))
}

/// The settings as the plugin is to see them: checked against its schema, the schema's defaults filled in.
async fn settings_for(compiler: &Compiler, manifest: &Manifest, text: &str) -> Result<String> {
    let settings = json_object("the settings", text)?;
    let settings = compiler.check_settings(manifest, settings).await?;
    Ok(Value::Object(settings).to_string())
}

fn check_bounds(bounds: &crate::domain::rollout::Bounds) -> Result<()> {
    let problems = bounds.problems();
    match problems.is_empty() {
        true => Ok(()),
        false => {
            let problems: Vec<String> = problems
                .iter()
                .map(|(field, problem)| format!("{field} {problem}"))
                .collect();
            Err(SetupError::invalid("the bounds:", problems.join(", ")))
        }
    }
}

/// Nobody is put into retirement by a promotion: that is a rollback.
fn check_stage(stage: Stage) -> Result<()> {
    match stage {
        Stage::Retired => Err(SetupError::invalid(
            "the stage",
            "must be waiting, shadow, canary or active",
        )),
        _ => Ok(()),
    }
}

fn check_percent(percent: i64) -> Result<()> {
    match (1..=100).contains(&percent) {
        true => Ok(()),
        false => Err(SetupError::invalid("the percentage", "must be 1 to 100")),
    }
}

/// A turn has room for so many plugins, and a number gets its own and those of the whole tenant. Counted after an
/// installation for these numbers.
async fn check_room(tx: &mut Tx, tenant: TenantId, number: Option<NumberId>) -> Result<()> {
    let most = installations::most_on_a_number(tx, tenant, number).await?;
    if !usize::try_from(most).is_ok_and(|most| most <= PLUGINS_PER_TURN) {
        let problem = format!(
            "would be more than {PLUGINS_PER_TURN} on one number, those for all numbers included"
        );
        return Err(SetupError::invalid("the plugins", problem));
    }
    Ok(())
}

/// How long a promotion waits for nodes to load a version, and between two looks. A component of SpiderMonkey loads in
/// milliseconds; a node that takes longer than this has another trouble.
const LOAD_WAIT: Duration = Duration::from_secs(30);
const LOAD_LOOK: Duration = Duration::from_millis(25);
