//! Installed plugins, loaded: from an installation to something that the plugin host can run.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use crate::directory::{Directory, NumberEntry};
use crate::domain::{InstallationId, TenantId};
use crate::plugin_host::{
    ArtifactId, ArtifactKey, ComponentDigest, ConfigJson, Grants, Limits, Manifest, Plugin,
    PluginBinding, PluginHost,
};
use crate::storage::installations::Installation;
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
    /// Will it be the same next time, as long as the installation does not change?
    fn lasts(&self) -> bool {
        !matches!(self, Self::Storage(_))
    }
}

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
    /// With the generation they are of. What cannot run is remembered too: it is not read again for every message.
    bindings: Mutex<HashMap<InstallationId, (i64, Runnable)>>,
}

impl Plugins {
    pub fn new(
        host: Arc<PluginHost>,
        db: Db,
        directory: Arc<Directory>,
        key: ArtifactKey,
        limits: Limits,
    ) -> Self {
        Self {
            host,
            db,
            directory,
            key,
            limits,
            loaded: Mutex::default(),
            bindings: Mutex::default(),
        }
    }

    pub(super) fn host(&self) -> &PluginHost {
        &self.host
    }

    /// What runs for a number, in order. Plugins that cannot run are left out and reported.
    pub(super) async fn bindings(&self, entry: &NumberEntry) -> (Vec<PluginBinding>, Vec<String>) {
        let (mut bindings, mut broken) = (Vec::new(), Vec::new());
        for installation in &entry.installations {
            match self.binding(installation).await {
                Ok(binding) => bindings.push(binding),
                Err(error) => {
                    tracing::warn!(installation = %installation.id, %error, "a plugin cannot run");
                    broken.push(installation.plugin.clone());
                }
            }
        }
        (bindings, broken)
    }

    async fn binding(&self, installation: &Installation) -> Runnable {
        if let Some((generation, known)) = lock(&self.bindings).get(&installation.id)
            && *generation == installation.generation
        {
            return known.clone();
        }
        let runnable = self.bind(installation).await;
        if runnable.as_ref().err().is_none_or(NotRunnable::lasts) {
            let entry = (installation.generation, runnable.clone());
            lock(&self.bindings).insert(installation.id, entry);
        }
        // Something is new, so something may be gone.
        self.forget_retired();
        runnable
    }

    /// Drops what no number runs any more: without this, every version ever installed would stay in memory.
    fn forget_retired(&self) {
        let snapshot = self.directory.snapshot();
        let installed = || snapshot.numbers().flat_map(|number| &number.installations);
        let ids: HashSet<_> = installed().map(|row| row.id).collect();
        let components: HashSet<_> = installed()
            .map(|row| (row.tenant, row.digest.as_str()))
            .collect();
        lock(&self.bindings).retain(|id, _| ids.contains(id));
        lock(&self.loaded)
            .retain(|(tenant, digest), _| components.contains(&(*tenant, digest.as_str())));
    }

    async fn bind(&self, installation: &Installation) -> Runnable {
        let corrupt = |what: &str| NotRunnable::Corrupt(what.to_owned());
        let plugin = self.plugin(installation).await?;
        let config = ConfigJson::parse(&installation.config).map_err(|_| corrupt("config"))?;
        let grants: Vec<String> =
            serde_json::from_str(&installation.grants).map_err(|_| corrupt("grants"))?;
        Ok(PluginBinding {
            limits: self.limits.for_asked(plugin.manifest().limits),
            plugin,
            installation: installation.id,
            config: Arc::new(config),
            grants: Grants::from_names(grants.iter().map(String::as_str)),
        })
    }

    async fn plugin(&self, installation: &Installation) -> Result<Arc<Plugin>, NotRunnable> {
        let key = (installation.tenant, installation.digest.clone());
        if let Some(plugin) = lock(&self.loaded).get(&key) {
            return Ok(plugin.clone());
        }
        let plugin = self.load(installation).await?;
        lock(&self.loaded).insert(key, plugin.clone());
        Ok(plugin)
    }

    async fn load(&self, installation: &Installation) -> Result<Arc<Plugin>, NotRunnable> {
        let load = |error: &dyn std::fmt::Display| NotRunnable::Load(error.to_string());
        let digest = digest(&installation.digest)
            .ok_or_else(|| NotRunnable::Corrupt("digest".to_owned()))?;
        let id = ArtifactId::current(digest).map_err(|error| load(&error))?;
        let mut tx = self.db.read().await?;
        let (tenant, hex) = (installation.tenant, installation.digest.as_str());
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
