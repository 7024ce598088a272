//! Installed plugins, loaded: from an installation to something that the plugin host can run.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::directory::{Directory, NumberEntry};
use crate::domain::rollout::Bounds;
use crate::domain::{Clock, InstallationId, TenantId, Timestamp};
use crate::plugin_host::{
    ArtifactId, ArtifactKey, ComponentDigest, Limits, Manifest, Plugin, PluginBinding, PluginHost,
    SetupUnreadable, StoredSetup,
};
use crate::storage::installations::Installation;
use crate::storage::plugin_health::Part;
use crate::storage::plugin_versions::Version;
use crate::storage::{Db, StorageError, components};
use crate::sync::lock;
use crate::tenants::installations::engine_name;

/// Why an installed plugin cannot run. It counts as that plugin's fault; the others of the turn go on.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum NotRunnable {
    #[error(transparent)]
    Storage(Arc<StorageError>),
    #[error("no artifact of this engine: {0}")]
    NoArtifact(String),
    #[error("the artifact does not load: {0}")]
    Load(String),
    #[error("the installation does not read: {0}")]
    Corrupt(String),
}

impl From<StorageError> for NotRunnable {
    fn from(error: StorageError) -> Self {
        Self::Storage(Arc::new(error))
    }
}

impl NotRunnable {
    /// May it be otherwise in a moment, though nobody changes the installation? An artifact may be compiled anew.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Self::Storage(_) | Self::NoArtifact(_))
    }
}

/// How long what may pass is not tried again: not with every message.
const TRY_AGAIN: Duration = Duration::from_secs(1);

type Runnable = Result<PluginBinding, NotRunnable>;

/// Loads plugins when a turn first needs them and keeps them as long as they are installed.
pub struct Plugins {
    host: Arc<PluginHost>,
    db: Db,
    directory: Arc<Directory>,
    key: ArtifactKey,
    limits: Limits,
    /// By component: tenants that uploaded the same bytes still have one each (tenants never meet).
    loaded: Mutex<HashMap<(TenantId, String), Arc<Plugin>>>,
    /// By installation and version. What cannot run is remembered too: it is not read again for every message.
    bindings: Mutex<HashMap<(InstallationId, i64), Bound>>,
    clock: Arc<dyn Clock>,
}

#[derive(Clone)]
struct Bound {
    /// The installation's when it was made.
    generation: i64,
    runnable: Runnable,
    /// Not tried again before; `None`: not before the installation changes.
    again_at: Option<Timestamp>,
}

/// Who plays in a turn, in order.
pub(super) struct Cast {
    pub bindings: Vec<PluginBinding>,
    /// Beside each binding: which version it is, and the bounds of its installation.
    pub parts: Vec<Part>,
    pub bounds: Vec<Bounds>,
    /// Plugins that should play and cannot.
    pub broken: Vec<String>,
}

impl Plugins {
    pub fn new(
        host: Arc<PluginHost>,
        db: Db,
        directory: Arc<Directory>,
        key: ArtifactKey,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            host,
            db,
            directory,
            key,
            limits,
            loaded: Mutex::default(),
            bindings: Mutex::default(),
            clock,
        }
    }

    pub(super) fn host(&self) -> &PluginHost {
        &self.host
    }

    /// What runs for a number, in order, each in the version that is chosen. Plugins that cannot run are left out and
    /// reported; a candidate that cannot run leaves its place to the active version.
    pub(super) async fn cast<'a>(
        &self,
        entry: &'a NumberEntry,
        choose: impl Fn(&'a Installation) -> Option<&'a Version>,
    ) -> Cast {
        let mut cast = Cast {
            bindings: Vec::new(),
            parts: Vec::new(),
            bounds: Vec::new(),
            broken: Vec::new(),
        };
        for installation in &entry.installations {
            if installation.paused {
                cast.broken.push(installation.plugin.clone());
                continue;
            }
            match choose(installation) {
                Some(version) => self.add_to(&mut cast, installation, version).await,
                // A first version on its way is not missed; one that was stopped is.
                None if installation.candidate().is_some() => {}
                None => cast.broken.push(installation.plugin.clone()),
            }
        }
        cast
    }

    async fn add_to(&self, cast: &mut Cast, installation: &Installation, chosen: &Version) {
        let active = installation.active();
        let others = active.filter(|active| active.seq != chosen.seq);
        for version in std::iter::once(chosen).chain(others) {
            match self.binding(installation, version).await {
                Ok(binding) => {
                    cast.bindings.push(binding);
                    cast.parts
                        .push(super::rollouts::part(installation, version));
                    cast.bounds.push(installation.bounds);
                    return;
                }
                Err(error) => {
                    let (id, version) = (installation.id, version.seq);
                    tracing::warn!(installation = %id, version, %error, "a plugin cannot run");
                }
            }
        }
        cast.broken.push(installation.plugin.clone());
    }

    /// A version as turns run it.
    pub(super) async fn binding(&self, installation: &Installation, version: &Version) -> Runnable {
        let key = (installation.id, version.seq);
        let now = self.clock.now();
        let known = lock(&self.bindings).get(&key).cloned();
        if let Some(known) = known
            && known.generation == installation.generation
            && known.again_at.is_none_or(|again| now < again)
        {
            return known.runnable;
        }
        let runnable = self.bind(installation, version).await;
        let passes = runnable.as_ref().err().is_some_and(NotRunnable::passes);
        let bound = Bound {
            generation: installation.generation,
            runnable: runnable.clone(),
            again_at: passes.then(|| now.plus(TRY_AGAIN)),
        };
        lock(&self.bindings).insert(key, bound);
        // Something is new, so something may be gone.
        self.forget_retired();
        runnable
    }

    /// Drops what no number runs any more: without this, every version ever installed would stay in memory.
    fn forget_retired(&self) {
        let snapshot = self.directory.snapshot();
        let installed = || snapshot.numbers().flat_map(|number| &number.installations);
        let versions = || installed().flat_map(|row| row.versions.iter().map(move |v| (row, v)));
        let keys: HashSet<_> = versions().map(|(row, v)| (row.id, v.seq)).collect();
        let components: HashSet<_> = versions()
            .map(|(row, v)| (row.tenant, v.digest.as_str()))
            .collect();
        lock(&self.bindings).retain(|key, _| keys.contains(key));
        lock(&self.loaded)
            .retain(|(tenant, digest), _| components.contains(&(*tenant, digest.as_str())));
    }

    async fn bind(&self, installation: &Installation, version: &Version) -> Runnable {
        let plugin = self.plugin(installation.tenant, &version.digest).await?;
        let stored = StoredSetup {
            digest: &version.digest,
            config: &version.config,
            grants: &version.grants,
        };
        PluginBinding::of(plugin, installation.id, stored, &self.limits).map_err(|error| {
            let what = match error {
                SetupUnreadable::Config(_) => "config",
                SetupUnreadable::Grants(_) => "grants",
            };
            NotRunnable::Corrupt(what.to_owned())
        })
    }

    async fn plugin(&self, tenant: TenantId, hex: &str) -> Result<Arc<Plugin>, NotRunnable> {
        let key = (tenant, hex.to_owned());
        if let Some(plugin) = lock(&self.loaded).get(&key) {
            return Ok(plugin.clone());
        }
        let plugin = self.load(tenant, hex).await?;
        lock(&self.loaded).insert(key, plugin.clone());
        Ok(plugin)
    }

    async fn load(&self, tenant: TenantId, hex: &str) -> Result<Arc<Plugin>, NotRunnable> {
        let load = |error: &dyn std::fmt::Display| NotRunnable::Load(error.to_string());
        let digest = digest(hex).ok_or_else(|| NotRunnable::Corrupt("digest".to_owned()))?;
        let id = ArtifactId::current(digest).map_err(|error| load(&error))?;
        let mut tx = self.db.read().await?;
        let sealed = components::artifact(&mut tx, tenant, hex, &engine_name(&id)).await?;
        let sealed = sealed.ok_or_else(|| NotRunnable::NoArtifact(engine_name(&id)))?;
        let manifest = components::manifest(&mut tx, tenant, hex).await?;
        drop(tx);
        let manifest = manifest.ok_or_else(|| NotRunnable::Corrupt("component".to_owned()))?;
        let manifest = Manifest::parse(manifest.as_bytes()).map_err(|error| load(&error))?;
        let artifact = self.key.open(&id, &sealed).map_err(|error| load(&error))?;
        self.host
            .load(&artifact, &manifest)
            .map_err(|error| load(&error))
    }
}

fn digest(hex_text: &str) -> Option<ComponentDigest> {
    let bytes = hex::decode(hex_text).ok()?;
    bytes.try_into().ok().map(ComponentDigest)
}
