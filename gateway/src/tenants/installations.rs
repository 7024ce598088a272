//! Installing a plugin: inspect, check its settings and compile it in limited child processes, load it for a trial, store,
//! put into service.

use std::collections::BTreeSet;

use super::tenant::json_object;
use super::{Result, SetupContext, SetupError, find};
use crate::domain::{InstallationId, TenantId};
use crate::plugin_host::{
    ArtifactId, ArtifactKey, Compiler, ComponentDigest, Hook, Manifest, PLUGINS_PER_TURN,
    TrialError, inspect, try_to_load,
};
use crate::storage::Tx;
use crate::storage::components;
use crate::storage::installations::{self, Installation};

/// An installation as the operator asks for it.
#[derive(Debug, Clone)]
pub struct NewInstallation {
    /// Name or id.
    pub tenant: String,
    /// One number of the tenant; `None`: all.
    pub number: Option<String>,
    pub wasm: Vec<u8>,
    /// The tenant's settings, a JSON object; what is stored has the defaults of the plugin's schema filled in.
    pub config: String,
    /// Names of grants; no more than the manifest asks for.
    pub grants: BTreeSet<String>,
    /// Plugins of a turn run in this order.
    pub position: i64,
}

/// Puts a component into service, in the place of whatever version of it the tenant ran for the same numbers.
///
/// Compiling may take long and holds no transaction; until the commit at the end nothing has changed.
pub async fn install(
    setup: &SetupContext,
    compiler: &Compiler,
    new: &NewInstallation,
) -> Result<Installation> {
    let manifest = inspect(&new.wasm)?.manifest;
    check_grants(&manifest, &new.grants)?;
    let mut tx = setup.db.read().await?;
    let tenant = find::tenant(&mut tx, &new.tenant).await?;
    let number = match &new.number {
        Some(number) => Some(find::number(&mut tx, tenant, number).await?.id),
        None => None,
    };
    drop(tx);
    let config = settings_for(compiler, &manifest, &new.config).await?;
    let compiled = compile(setup, compiler, &new.wasm, &manifest).await?;
    let now = setup.clock.now();
    let installation = Installation {
        id: InstallationId::from_raw(setup.next_id()),
        tenant,
        number,
        plugin: manifest.name.clone(),
        plugin_version: manifest.version.clone(),
        digest: compiled.digest.clone(),
        position: new.position,
        config,
        grants: serde_json::json!(new.grants).to_string(),
        generation: 1,
        hears_receipts: manifest.hooks().contains(Hook::OnReceipt),
        created_at: now,
    };
    let manifest = serde_json::json!(manifest).to_string();
    let Compiled {
        digest,
        engine,
        sealed,
    } = compiled;
    let mut tx = setup.db.begin().await?;
    components::insert_component(&mut tx, tenant, &digest, &new.wasm, &manifest, now).await?;
    components::put_artifact(&mut tx, tenant, &digest, &engine, &sealed, now).await?;
    installations::replace_installation(&mut tx, tenant, &installation).await?;
    check_room(&mut tx, tenant).await?;
    let became = Some(shown(&installation));
    setup
        .record(
            &mut tx,
            tenant,
            "plugin.install",
            installation.id,
            None,
            became,
        )
        .await?;
    tx.commit().await?;
    Ok(installation)
}

/// The settings as the plugin is to see them: checked against its schema, the schema's defaults filled in.
async fn settings_for(compiler: &Compiler, manifest: &Manifest, text: &str) -> Result<String> {
    let settings = json_object("the settings", text)?;
    let settings = compiler.check_settings(manifest, settings).await?;
    Ok(serde_json::Value::Object(settings).to_string())
}

/// Takes an installation out of service. Turns that are under way with it commit nothing.
pub async fn remove(setup: &SetupContext, tenant: TenantId, id: InstallationId) -> Result<()> {
    let mut tx = setup.db.begin().await?;
    let installation = installations::installation(&mut tx, tenant, id)
        .await?
        .ok_or_else(|| SetupError::not_found("plugin", &id.to_string()))?;
    installations::retire_installation(&mut tx, tenant, id).await?;
    let was = Some(shown(&installation));
    setup
        .record(&mut tx, tenant, "plugin.remove", id, was, None)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// An installation that runs.
pub async fn find_one(
    setup: &SetupContext,
    tenant: TenantId,
    id: InstallationId,
) -> Result<Installation> {
    let mut tx = setup.db.read().await?;
    installations::installation(&mut tx, tenant, id)
        .await?
        .ok_or_else(|| SetupError::not_found("plugin", &id.to_string()))
}

/// Installations that run after an id, oldest first.
pub async fn page(
    setup: &SetupContext,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<Installation>> {
    let mut tx = setup.db.read().await?;
    Ok(installations::installations_of(&mut tx, tenant, after, most).await?)
}

/// As the audit log shows it: settings may hold what the tenant thinks a secret, so they are left out.
fn shown(installation: &Installation) -> serde_json::Value {
    serde_json::json!({
        "plugin": installation.plugin,
        "version": installation.plugin_version,
        "digest": installation.digest,
        "number": installation.number,
        "position": installation.position,
        "grants": serde_json::from_str::<serde_json::Value>(&installation.grants).ok(),
    })
}

/// The text by which an artifact's engine is known in the database.
pub fn engine_name(id: &ArtifactId) -> String {
    format!("{} {:016x}", id.wasmtime, id.compatibility)
}

struct Compiled {
    digest: String,
    engine: String,
    sealed: Vec<u8>,
}

async fn compile(
    setup: &SetupContext,
    compiler: &Compiler,
    wasm: &[u8],
    manifest: &Manifest,
) -> Result<Compiled> {
    let machine_code = compiler.compile(wasm.to_vec()).await?;
    let id = ArtifactId::current(ComponentDigest::of(wasm))
        .map_err(|error| SetupError::Engine(error.to_string()))?;
    let key = ArtifactKey::new(*setup.keyring.artifact_mac_key());
    let sealed = key.seal(&id, &machine_code);
    try_out(&key, &id, &sealed, manifest)?;
    Ok(Compiled {
        digest: id.component.to_string(),
        engine: engine_name(&id),
        sealed,
    })
}

/// Opens what would be stored and loads it as a node will: what cannot run must not retire what does.
fn try_out(key: &ArtifactKey, id: &ArtifactId, sealed: &[u8], manifest: &Manifest) -> Result<()> {
    let artifact = key
        .open(id, sealed)
        .map_err(|error| SetupError::Engine(error.to_string()))?;
    try_to_load(&artifact, manifest).map_err(|error| match error {
        TrialError::Load(error) => SetupError::Unfit(with_causes(&error)),
        error @ TrialError::Engine(_) => SetupError::Engine(with_causes(&error)),
    })
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// A turn has room for so many plugins, and a number gets its own and those of the whole tenant. Counted after the
/// change: whoever installs at the same time waits for the row that counts changes of setup.
async fn check_room(tx: &mut Tx, tenant: TenantId) -> Result<()> {
    let running = installations::numbers_of_installations(tx, tenant).await?;
    let everywhere = running.iter().filter(|number| number.is_none()).count();
    let of_number = |number| running.iter().filter(|n| **n == Some(number)).count();
    let most_on_one = running
        .iter()
        .flatten()
        .map(|&number| of_number(number))
        .max();
    if everywhere + most_on_one.unwrap_or(0) > PLUGINS_PER_TURN {
        let problem = format!(
            "would be more than {PLUGINS_PER_TURN} on one number, those for all numbers included"
        );
        return Err(SetupError::invalid("the plugins", problem));
    }
    Ok(())
}

fn check_grants(manifest: &Manifest, grants: &BTreeSet<String>) -> Result<()> {
    match grants.difference(&manifest.grants).next() {
        None => Ok(()),
        Some(grant) => Err(SetupError::invalid(
            "the grants",
            format!(
                "contain `{grant}`, which {} does not ask for",
                manifest.name
            ),
        )),
    }
}
