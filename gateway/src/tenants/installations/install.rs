//! Installing: a version comes into an installation as its candidate, or at once into service.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::plugin_keys::Signature;
use super::super::{Result, SetupContext, SetupError, find};
use super::rollout::{Promotion, promote};
use super::upload::{Uploaded, find as find_upload, upload};
use super::{
    Changing, check_bounds, check_grants, check_percent, check_room, check_stage, commit, names,
    settings_for,
};
use crate::domain::rollout::{Bounds, Stage};
use crate::domain::{InstallationId, NumberId, TenantId};
use crate::plugin_host::{Compiler, Hook, asks_for, inspect};
use crate::storage::installations::{self, Installation};
use crate::storage::plugin_versions::{self, Version};
use crate::storage::{Tx, changes, components, plugin_trust};

/// What is installed.
#[derive(Debug, Clone)]
pub enum Source {
    /// An upload that is kept.
    Digest(String),
    /// The bytes themselves: uploaded on the way.
    Wasm {
        bytes: Vec<u8>,
        signature: Option<Signature>,
    },
}

/// An installation as it is asked for. What is left out stays as the version before it has it.
#[derive(Debug, Clone)]
pub struct NewInstallation {
    /// Name or id.
    pub tenant: String,
    /// One number of the tenant; `None`: all.
    pub number: Option<String>,
    pub source: Source,
    /// The tenant's settings, a JSON object; what is stored has the defaults of the plugin's schema filled in.
    pub config: Option<String>,
    /// Names of grants; no more than the manifest asks for.
    pub grants: Option<BTreeSet<String>>,
    /// Plugins of a turn run in this order.
    pub position: Option<i64>,
    pub bounds: Option<Bounds>,
    /// Where it begins.
    pub stage: Stage,
    /// Of the conversations, for a canary.
    pub percent: i64,
    /// Whoever asks answers for it that both versions understand the memory that they share.
    pub state_is_safe: bool,
}

/// Brings a version into an installation, which is made when there is none for these numbers.
///
/// One that is to be active at once waits for the nodes to load it, as every promotion does; the version before it runs
/// until then.
pub async fn install(
    setup: &SetupContext,
    compiler: &Compiler,
    new: &NewInstallation,
) -> Result<Installation> {
    check_stage(new.stage)?;
    if new.stage == Stage::Canary {
        check_percent(new.percent)?;
    }
    new.bounds.as_ref().map_or(Ok(()), check_bounds)?;
    let at_once = setup.at_once();
    let (tenant, number) = place(setup, new).await?;
    let manifest = match &new.source {
        Source::Digest(digest) => find_upload(setup, tenant, digest).await?.manifest,
        Source::Wasm { bytes, signature } => match inspect(bytes) {
            Ok(inspection) => inspection.manifest,
            // The upload says all that is wrong.
            Err(_) => {
                let refused = upload(&at_once, compiler, tenant, bytes, signature.as_ref()).await?;
                refused.manifest
            }
        },
    };
    let before = before(setup, tenant, &manifest.name, number).await?;
    let config = match (&new.config, &before) {
        (Some(config), _) => config.clone(),
        (None, Some(before)) => before.config.clone(),
        (None, None) => "{}".to_owned(),
    };
    let grants = match (&new.grants, &before) {
        (Some(grants), _) => grants.clone(),
        (None, Some(before)) => {
            let mut kept = names(&before.grants);
            kept.retain(|grant| asks_for(&manifest.grants, grant));
            kept
        }
        (None, None) => BTreeSet::new(),
    };
    check_grants(&manifest.name, &manifest.grants, &grants)?;
    let config = settings_for(compiler, &manifest, &config).await?;
    let uploaded = match &new.source {
        Source::Digest(digest) => find_upload(setup, tenant, digest).await?,
        Source::Wasm { bytes, signature } => {
            upload(&at_once, compiler, tenant, bytes, signature.as_ref()).await?
        }
    };
    let digest = &uploaded.component.digest;
    if setup.require_signature && uploaded.component.signed_by.is_empty() {
        return Err(SetupError::state(
            "the upload is not signed, and this gateway runs signed uploads only",
        ));
    }
    let now = setup.clock.now();
    let version = Version {
        seq: 0,
        digest: digest.clone(),
        version: manifest.version.clone(),
        config,
        asked: json!(manifest.grants).to_string(),
        grants: json!(grants).to_string(),
        granted_by: setup.by.label(),
        granted_at: now,
        // What is to be active waits for the nodes.
        stage: if new.stage == Stage::Active {
            Stage::Waiting
        } else {
            new.stage
        },
        percent: if new.stage == Stage::Canary {
            new.percent
        } else {
            0
        },
        good: false,
        reason: format!("installed by {}", setup.by.label()),
        changed_at: now,
        created_at: now,
    };
    if new.stage != Stage::Active {
        return bring_in(setup, tenant, number, new, &uploaded, version).await;
    }
    let installed = bring_in(&at_once, tenant, number, new, &uploaded, version).await?;
    let promotion = Promotion {
        stage: Some(Stage::Active),
        percent: None,
        state_is_safe: new.state_is_safe,
    };
    promote(setup, tenant, installed.id, &promotion).await
}

async fn place(
    setup: &SetupContext,
    new: &NewInstallation,
) -> Result<(TenantId, Option<NumberId>)> {
    let mut tx = setup.db.read().await?;
    let tenant = find::tenant(&mut tx, &new.tenant).await?;
    let number = match &new.number {
        Some(number) => Some(find::number(&mut tx, tenant, number).await?.id),
        None => None,
    };
    Ok((tenant, number))
}

/// The version whose settings and grants a new one goes on with.
async fn before(
    setup: &SetupContext,
    tenant: TenantId,
    plugin: &str,
    number: Option<NumberId>,
) -> Result<Option<Version>> {
    let mut tx = setup.db.read().await?;
    let found = installations::of_plugin(&mut tx, tenant, plugin, number).await?;
    Ok(found.and_then(|found| found.active().or(found.candidate()).cloned()))
}

async fn bring_in(
    setup: &SetupContext,
    tenant: TenantId,
    number: Option<NumberId>,
    new: &NewInstallation,
    uploaded: &Uploaded,
    mut version: Version,
) -> Result<Installation> {
    let mut tx = setup.db.begin().await?;
    changes::bump_setup_all_tenants(&mut tx).await?;
    // Asked again where nobody can stop it meanwhile.
    if let Some(stop) = plugin_trust::stop_of_all_tenants(&mut tx, &version.digest).await? {
        let why = format!("the operator has stopped this digest: {}", stop.reason);
        return Err(SetupError::state(why));
    }
    if !components::hold(&mut tx, tenant, &version.digest).await? {
        return Err(SetupError::not_found("digest", &version.digest));
    }
    let plugin = &uploaded.manifest.name;
    let id = match installations::of_plugin(&mut tx, tenant, plugin, number).await? {
        Some(installation) => installation.id,
        None => make(setup, &mut tx, tenant, number, plugin).await?,
    };
    let mut changing = Changing::within(setup, tx, tenant, id).await?;
    let versions = changing.all_versions().await?;
    version.seq = versions.iter().map(|v| v.seq).max().unwrap_or(0) + 1;
    if let Some(candidate) = changing.installation.candidate().cloned() {
        let reason = format!("{} came before it was active", version.version);
        changing.place(candidate, Stage::Retired, reason).await?;
    }
    plugin_versions::insert(&mut changing.tx, tenant, id, &version).await?;
    if new.stage == Stage::Canary
        && let Some(active) = changing.installation.active().cloned()
        && !new.state_is_safe
        && !changing.share_state(&active, &version).await?
    {
        return Err(SetupError::other_state());
    }
    let installation = &mut changing.installation;
    installation.position = new.position.unwrap_or(installation.position);
    installation.bounds = new.bounds.unwrap_or(installation.bounds);
    installation.hears_receipts |= uploaded.manifest.hooks().contains(Hook::OnReceipt);
    check_room(&mut changing.tx, tenant).await?;
    let now = changing.record("plugin.install").await?;
    commit(setup, changing.tx).await?;
    Ok(now)
}

async fn make(
    setup: &SetupContext,
    tx: &mut Tx,
    tenant: TenantId,
    number: Option<NumberId>,
    plugin: &str,
) -> Result<InstallationId> {
    let installation = Installation {
        id: InstallationId::from_raw(setup.next_id()),
        tenant,
        number,
        plugin: plugin.to_owned(),
        position: 0,
        paused: false,
        bounds: Bounds::default(),
        generation: 1,
        breaker: None,
        hears_receipts: false,
        created_at: setup.clock.now(),
        versions: Vec::new(),
    };
    installations::insert(tx, tenant, &installation).await?;
    Ok(installation.id)
}
