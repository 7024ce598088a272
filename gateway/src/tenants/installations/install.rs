//! Installing: a version comes into an installation as its candidate, or at once into service.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::json;

use super::super::ceiling::ceiling_of;
use super::super::error::Refusals;
use super::super::plugin_keys::Signature;
use super::super::{Result, SetupContext, SetupError, find};
use super::giving::{Terms, check_grants, given};
use super::rollout::{Promotion, promote};
use super::successor::{problem_of_digest, problem_of_running};
use super::upload::{
    Authorship, Looked, NewUpload, Uploaded, find as find_upload, look as look_at, take_in,
};
use super::{Changing, check_bounds, check_percent, check_room, check_stage, names, settings_for};
use crate::domain::rollout::{Bounds, Stage};
use crate::domain::{InstallationId, NumberId, TenantId};
use crate::plugin_host::{Compiler, Hook, Manifest, SettingsError, asks_for};
use crate::storage::installations::{self, Installation};
use crate::storage::plugin_versions::{self, Version};
use crate::storage::{Tx, changes, components};

/// What is installed.
#[derive(Debug, Clone)]
pub enum Source {
    /// An upload that is kept.
    Digest(String),
    /// The bytes themselves: uploaded on the way.
    Wasm {
        bytes: Bytes,
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
    let at_once = setup.at_once();
    let tenant = place(setup, new).await?;
    let Sound {
        number,
        found,
        before,
        config,
        grants,
    } = look(setup, compiler, tenant, new).await?;
    let uploaded = match found {
        Found::Kept(uploaded) => *uploaded,
        Found::New(bytes, looked) => {
            let upload = NewUpload {
                realm: tenant,
                wasm: bytes.clone(),
                // Looked at already.
                signature: None,
                authorship: Authorship::Unsaid,
            };
            take_in(&at_once, compiler, &upload, looked).await?
        }
    };
    let digest = &uploaded.component.digest;
    let manifest = &uploaded.manifest;
    let now = setup.clock.now();
    let given = given(setup, before.0.as_ref(), &grants);
    let version = Version {
        seq: 0,
        digest: digest.clone(),
        version: manifest.version.clone(),
        config,
        asked: json!(manifest.grants).to_string(),
        grants: json!(grants).to_string(),
        granted_by: given.by,
        granted_at: given.at,
        inherited: given.inherited,
        withheld: Vec::new(),
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
        instead_of: 0,
        reason: format!("installed by {}", setup.by.label()),
        changed_at: now,
        created_at: now,
    };
    if new.stage != Stage::Active {
        return bring_in(setup, (tenant, number), new, &uploaded, &before, version).await;
    }
    let place = (tenant, number);
    let installed = bring_in(&at_once, place, new, &uploaded, &before, version).await?;
    let promotion = Promotion {
        stage: Some(Stage::Active),
        percent: None,
        state_is_safe: new.state_is_safe,
    };
    promote(setup, tenant, installed.id, &promotion).await
}

/// Says what would be wrong with it, and does nothing.
pub async fn check_install(
    setup: &SetupContext,
    compiler: &Compiler,
    new: &NewInstallation,
) -> Result<()> {
    let tenant = place(setup, new).await?;
    look(setup, compiler, tenant, new).await.map(drop)
}

async fn place(setup: &SetupContext, new: &NewInstallation) -> Result<TenantId> {
    let mut tx = setup.db.read().await?;
    find::tenant(&mut tx, &new.tenant).await
}

/// What is to be installed, where nothing of it is wrong.
struct Sound<'a> {
    number: Option<NumberId>,
    found: Found<'a>,
    before: Before,
    config: String,
    grants: BTreeSet<String>,
}

/// An upload that is kept, or bytes that may become one.
enum Found<'a> {
    Kept(Box<Uploaded>),
    New(&'a Bytes, Looked),
}

impl Found<'_> {
    fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::Kept(uploaded) => Some(&uploaded.manifest),
            Self::New(_, looked) => looked.manifest.as_ref(),
        }
    }
}

/// Everything that can be seen to be wrong before anything is compiled or changed is told at once.
async fn look<'a>(
    setup: &SetupContext,
    compiler: &Compiler,
    tenant: TenantId,
    new: &'a NewInstallation,
) -> Result<Sound<'a>> {
    let mut wrong = Refusals::default();
    wrong.note(check_stage(new.stage))?;
    if new.stage == Stage::Canary {
        wrong.note(check_percent(new.percent))?;
    }
    wrong.note(new.bounds.as_ref().map_or(Ok(()), check_bounds))?;
    let number = wrong.note(number(setup, tenant, new).await)?;
    let found = wrong.note(found(setup, compiler, tenant, new).await)?;
    match &found {
        Some(Found::Kept(uploaded)) => {
            let (name, digest) = (&uploaded.manifest.version, &uploaded.component.digest);
            let mut tx = setup.db.read().await?;
            let problem = problem_of_digest(setup, &mut tx, tenant, (name, digest)).await?;
            wrong.note(problem.map_or(Ok(()), Err))?;
        }
        Some(Found::New(_, looked)) => drop(wrong.note(looked.verdict())?),
        None => {}
    }
    let terms = match found.as_ref().and_then(Found::manifest) {
        Some(manifest) => {
            // Who does not know the number does not know what was there before.
            let before = match number {
                Some(number) => Some(before(setup, tenant, &manifest.name, number).await?),
                None => None,
            };
            let is_new = matches!(found, Some(Found::New(..)));
            let place = (setup, tenant);
            terms(place, compiler, new, (manifest, is_new), before, &mut wrong).await?
        }
        None => None,
    };
    let whole = number.zip(found).zip(terms);
    let ((number, found), (before, config, grants)) = wrong.end(whole)?;
    Ok(Sound {
        number,
        found,
        before,
        config,
        grants,
    })
}

/// Settings and grants as they are asked for, or as the version before has them. None, when they are not known or wrong.
async fn terms(
    (setup, tenant): (&SetupContext, TenantId),
    compiler: &Compiler,
    new: &NewInstallation,
    (manifest, is_new): (&Manifest, bool),
    before: Option<Before>,
    wrong: &mut Refusals,
) -> Result<Option<(Before, String, BTreeSet<String>)>> {
    let grants = match &new.grants {
        Some(grants) => {
            let terms = Terms {
                plugin: &manifest.name,
                asked: &manifest.grants,
                held: &before.as_ref().map(Before::held).unwrap_or_default(),
                ceiling: &ceiling_of(setup, tenant).await?,
                giver: setup.giver,
            };
            let checked = check_grants(&terms, grants);
            wrong.note(checked)?.map(|()| grants.clone())
        }
        // Given before, by who could: not given now.
        None => before.as_ref().map(|before| before.grants(manifest)),
    };
    let kept = || before.as_ref().map(Before::config);
    let config = match new.config.clone().or_else(kept) {
        Some(config) => match settings_for(compiler, manifest, &config).await {
            // The upload's problems name it.
            Err(SetupError::Settings(SettingsError::Schema(_))) if is_new => None,
            checked => wrong.note(checked)?,
        },
        None => None,
    };
    let terms = before.zip(config.zip(grants));
    Ok(terms.map(|(before, (config, grants))| (before, config, grants)))
}

async fn number(
    setup: &SetupContext,
    tenant: TenantId,
    new: &NewInstallation,
) -> Result<Option<NumberId>> {
    let mut tx = setup.db.read().await?;
    Ok(match &new.number {
        Some(number) => Some(find::number(&mut tx, tenant, number).await?.id),
        None => None,
    })
}

async fn found<'a>(
    setup: &SetupContext,
    compiler: &Compiler,
    tenant: TenantId,
    new: &'a NewInstallation,
) -> Result<Found<'a>> {
    Ok(match &new.source {
        Source::Digest(digest) => Found::Kept(Box::new(find_upload(setup, tenant, digest).await?)),
        Source::Wasm { bytes, signature } => {
            let looked = look_at(setup, compiler, bytes, signature.as_ref()).await?;
            Found::New(bytes, looked)
        }
    })
}

/// The version whose settings and grants a new one goes on with, if there is one.
struct Before(Option<Version>);

impl Before {
    fn of(installation: Option<&Installation>) -> Self {
        let version = installation.and_then(|found| found.active().or(found.candidate()));
        Self(version.cloned())
    }

    fn config(&self) -> String {
        let before = self.0.as_ref();
        before.map_or_else(|| "{}".to_owned(), |before| before.config.clone())
    }

    fn held(&self) -> BTreeSet<String> {
        let before = self.0.as_ref();
        before.map_or_else(BTreeSet::new, |before| names(&before.grants))
    }

    /// What the manifest asks for no more is left out.
    fn grants(&self, manifest: &Manifest) -> BTreeSet<String> {
        let mut kept = self.held();
        kept.retain(|grant| asks_for(&manifest.grants, grant));
        kept
    }
}

async fn before(
    setup: &SetupContext,
    tenant: TenantId,
    plugin: &str,
    number: Option<NumberId>,
) -> Result<Before> {
    let mut tx = setup.db.read().await?;
    let found = installations::of_plugin(&mut tx, tenant, plugin, number).await?;
    Ok(Before::of(found.as_ref()))
}

async fn bring_in(
    setup: &SetupContext,
    (tenant, number): (TenantId, Option<NumberId>),
    new: &NewInstallation,
    uploaded: &Uploaded,
    before: &Before,
    mut version: Version,
) -> Result<Installation> {
    let mut tx = setup.db.begin().await?;
    changes::bump_setup_all_tenants(&mut tx).await?;
    if !components::hold(&mut tx, tenant, &version.digest).await? {
        return Err(SetupError::not_found("digest", &version.digest));
    }
    // Asked where nobody can stop it meanwhile.
    if let Some(problem) = problem_of_running(setup, &mut tx, tenant, &version).await? {
        return Err(problem);
    }
    let plugin = &uploaded.manifest.name;
    let found = installations::of_plugin(&mut tx, tenant, plugin, number).await?;
    // What was taken from the plugin meanwhile does not come back by this.
    if Before::of(found.as_ref()).held() != before.held() {
        return Err(SetupError::Changed);
    }
    let id = match found {
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
    check_room(&mut changing.tx, tenant, number).await?;
    let now = changing.record("plugin.install").await?;
    setup.commit_and_wake(changing.tx).await?;
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
        awaits_successor: false,
    };
    installations::insert(tx, tenant, &installation).await?;
    Ok(installation.id)
}
