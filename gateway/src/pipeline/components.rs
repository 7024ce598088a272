//! Loaded components, within a budget: a node may have far more installed than it holds at a time.
//!
//! A component is loaded when a turn first needs it, on threads made for what blocks (never a guest thread, never one that
//! serves webhooks), a few at a time and each once however many turns want it. It is shared by its digest: machine code
//! is never written after it was loaded, every turn gets an instance of its own, and whether a tenant may have it was
//! asked of the database before. What nobody uses goes when the budget is reached, first of a tenant that has a large part
//! of it ([`Shelf`]); when all is in use the turn is told to come again. Files on disk ([`ArtifactFiles`]) save the way to
//! the database.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::artifact_files::ArtifactFiles;
use super::plugins::NotRunnable;
use super::shelf::{Budget, Shelf};
use crate::domain::{Clock, TenantId, Timestamp};
use crate::plugin_host::{
    ArtifactId, ArtifactKey, AuthenticArtifact, ComponentDigest, LoadError, ManifestError, Plugin,
    PluginHost,
};
use crate::storage::{Db, StorageError, compile_work, components};
use crate::sync::{blocking, lock};
use crate::telemetry::names;
use crate::tenants::installations::{Wanted, engine_name};

/// What a node may hold.
#[derive(Debug, Clone)]
pub struct ComponentBudget {
    /// Components in memory, and bytes of them.
    pub loaded: usize,
    pub loaded_bytes: usize,
    /// Where sealed artifacts are kept beside the database, and how many bytes of them. `None`: nowhere.
    pub folder: Option<PathBuf>,
    pub folder_bytes: u64,
}

impl Default for ComponentBudget {
    fn default() -> Self {
        Self {
            loaded: 4_000,
            loaded_bytes: 1 << 30,
            folder: None,
            folder_bytes: 0,
        }
    }
}

/// Where a component's machine code is after [`Components::stock`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stocked {
    Now,
    Already,
    /// There is none yet.
    NotCompiled,
    /// The node keeps none on disk, or no more.
    Nowhere,
}

/// Components that are being read and loaded at the same time: each holds its bytes twice for a moment. A guess: a core
/// or two are busy with it.
const LOADS_AT_ONCE: usize = 2;
/// What a component takes: its machine code and, beside it, types, tables of functions, the linked imports. Found by
/// `plugin_density`: 1.4 to 1.6 MiB for 0.9 MiB of machine code.
fn resident(machine_code: usize) -> usize {
    machine_code + machine_code / 2 + (128 << 10)
}

/// The components of a node.
pub struct Components {
    host: Arc<PluginHost>,
    db: Db,
    key: Arc<ArtifactKey>,
    clock: Arc<dyn Clock>,
    shelf: Arc<Mutex<Shelf<ComponentDigest, Plugin>>>,
    budget: ComponentBudget,
    files: OnceLock<Option<Arc<ArtifactFiles>>>,
    /// One for each component that is being loaded.
    gates: Mutex<HashMap<ComponentDigest, Arc<tokio::sync::Mutex<()>>>>,
    loads: Semaphore,
    /// One at a time.
    file_writes: Arc<Semaphore>,
    wanted: Arc<Wanted>,
}

impl Components {
    pub fn new(
        host: Arc<PluginHost>,
        db: Db,
        key: ArtifactKey,
        clock: Arc<dyn Clock>,
        budget: ComponentBudget,
        wanted: Arc<Wanted>,
    ) -> Self {
        let room = Budget {
            count: budget.loaded.max(1),
            bytes: budget.loaded_bytes,
        };
        Self {
            host,
            db,
            key: Arc::new(key),
            clock,
            shelf: Arc::new(Mutex::new(Shelf::new(room))),
            budget,
            files: OnceLock::new(),
            gates: Mutex::default(),
            loads: Semaphore::new(LOADS_AT_ONCE),
            file_writes: Arc::new(Semaphore::new(1)),
            wanted,
        }
    }

    pub(super) fn host(&self) -> &PluginHost {
        &self.host
    }

    /// A component that is in memory already.
    pub(super) fn loaded(&self, digest: &ComponentDigest) -> Option<Arc<Plugin>> {
        lock(&self.shelf).get(digest)
    }

    /// A component of the tenant's, or of the operator's, from memory, disk or database.
    pub async fn get(&self, tenant: TenantId, hex: &str) -> Result<Arc<Plugin>, NotRunnable> {
        let digest = digest(hex).ok_or_else(|| NotRunnable::Corrupt("digest".to_owned()))?;
        self.may_have(tenant, hex).await?;
        if let Some(plugin) = self.loaded(&digest) {
            return Ok(plugin);
        }
        let gate = lock(&self.gates).entry(digest).or_default().clone();
        let loaded = {
            let _alone = gate.lock().await;
            match self.loaded(&digest) {
                Some(plugin) => Ok(plugin),
                None => self.load(tenant, digest).await,
            }
        };
        drop(gate);
        let mut gates = lock(&self.gates);
        if gates
            .get(&digest)
            .is_some_and(|gate| Arc::strong_count(gate) == 1)
        {
            gates.remove(&digest);
        }
        loaded
    }

    /// Is it in memory? Looking does not count as a use.
    pub fn is_loaded(&self, digest: &ComponentDigest) -> bool {
        lock(&self.shelf).has(digest)
    }

    /// How many are in memory.
    pub fn len(&self) -> usize {
        lock(&self.shelf).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Does the budget leave room that nobody needs yet?
    pub(super) fn has_spare_room(&self) -> bool {
        let shelf = lock(&self.shelf);
        let Budget { count, bytes } = shelf.budget();
        // The rest is for what comes with the first messages.
        shelf.len() < count / 5 * 4 && shelf.bytes() < bytes / 5 * 4
    }

    /// Puts a component's machine code on this node's disk before it is called, if it is not there yet.
    pub async fn stock(&self, tenant: TenantId, hex: &str) -> Result<Stocked, StorageError> {
        let engine = digest(hex).and_then(|digest| ArtifactId::current(digest).ok());
        let Some(engine) = engine.map(|id| engine_name(&id)) else {
            // A turn that wants it says why it cannot.
            return Ok(Stocked::Already);
        };
        let Some(files) = self.files(&engine) else {
            return Ok(Stocked::Nowhere);
        };
        if files.has(hex) {
            return Ok(Stocked::Already);
        }
        if !files.has_spare_room() {
            return Ok(Stocked::Nowhere);
        }
        let mut tx = self.db.read().await?;
        let sealed = components::artifact(&mut tx, tenant, hex, &engine).await?;
        drop(tx);
        let Some(sealed) = sealed else {
            return Ok(Stocked::NotCompiled);
        };
        let _alone = self.file_writes.acquire().await;
        let (name, now) = (hex.to_owned(), self.clock.now());
        match blocking(move || files.write(&name, &sealed, now)).await {
            Ok(()) => Ok(Stocked::Now),
            Err(error) => {
                tracing::warn!(%error, "artifacts are not put on disk before they are called");
                Ok(Stocked::Nowhere)
            }
        }
    }

    /// Drops what is installed nowhere any more, from memory and from disk.
    pub(super) fn retain(&self, wanted: impl Fn(&ComponentDigest) -> bool) {
        lock(&self.shelf).retain(&wanted);
        if let Some(files) = self.files.get().cloned().flatten() {
            let unwanted = files.others(|name| digest(name).is_some_and(|digest| wanted(&digest)));
            if !unwanted.is_empty() {
                tokio::task::spawn_blocking(move || {
                    unwanted.iter().for_each(|name| files.remove(name));
                });
            }
        }
    }

    /// Tells the metrics what is held.
    pub(super) fn tell(&self) {
        let (count, bytes, gone) = {
            let shelf = lock(&self.shelf);
            (shelf.len(), shelf.bytes(), shelf.gone())
        };
        metrics::gauge!(names::PLUGINS_LOADED).set(count as f64);
        metrics::gauge!(names::PLUGINS_LOADED_BYTES).set(bytes as f64);
        metrics::counter!(names::PLUGINS_EVICTED).absolute(gone);
        let files = self.files.get().and_then(Option::as_ref);
        let on_disk = files.map_or(0, |files| files.bytes());
        metrics::gauge!(names::ARTIFACT_FILES_BYTES).set(on_disk as f64);
    }

    async fn may_have(&self, tenant: TenantId, hex: &str) -> Result<(), NotRunnable> {
        let mut tx = self.db.glance().await?;
        match components::has_component(&mut tx, tenant, hex).await? {
            true => Ok(()),
            false => Err(NotRunnable::Corrupt("component".to_owned())),
        }
    }

    async fn load(
        &self,
        tenant: TenantId,
        digest: ComponentDigest,
    ) -> Result<Arc<Plugin>, NotRunnable> {
        let _place = self.place().await;
        let id = ArtifactId::current(digest).map_err(not_loaded)?;
        let engine = engine_name(&id);
        let link = Link {
            host: self.host.clone(),
            key: self.key.clone(),
            shelf: self.shelf.clone(),
            tenant,
            id,
        };
        let loaded = match self.files(&engine) {
            Some(files) => link.clone().load_from_disk(files, self.clock.now()).await,
            None => None,
        };
        let loaded = match loaded {
            Some(loaded) => loaded,
            None => self.load_from_database(tenant, &engine, link).await,
        };
        let result = match loaded {
            Ok(_) => "loaded",
            Err(NotRunnable::Load(_)) => "failed",
            Err(_) => return loaded,
        };
        metrics::counter!(names::PLUGIN_LOADS, "result" => result).increment(1);
        loaded
    }

    async fn place(&self) -> SemaphorePermit<'_> {
        self.loads.acquire().await.expect("never closed")
    }

    async fn load_from_database(
        &self,
        tenant: TenantId,
        engine: &str,
        link: Link,
    ) -> Result<Arc<Plugin>, NotRunnable> {
        let hex = link.id.component.to_string();
        let mut tx = self.db.read().await?;
        let sealed = components::artifact(&mut tx, tenant, &hex, engine).await?;
        let problem = match sealed.is_some() {
            true => None,
            false => compile_work::problem_all_tenants(&mut tx, &hex, engine).await?,
        };
        drop(tx);
        let Some(sealed) = sealed.map(Bytes::from) else {
            return Err(match problem {
                Some(problem) => NotRunnable::Refused(problem),
                None => {
                    self.wanted.want(tenant, &hex);
                    NotRunnable::NotCompiled(engine.to_owned())
                }
            });
        };
        let bytes = sealed.clone();
        let loaded = blocking(move || link.load(bytes)).await;
        if matches!(loaded, Ok(_) | Err(NotRunnable::NoRoom)) {
            // Whoever found no room comes again soon.
            self.keep_on_disk(engine, hex, sealed);
        }
        loaded
    }

    /// Behind the turn's back: nobody waits for the disk. When one is being written already it is left out, and comes with the
    /// next time that it is read from the database; so no more than one is held for it.
    fn keep_on_disk(&self, engine: &str, hex: String, sealed: Bytes) {
        let (Some(files), Ok(place)) = (
            self.files(engine),
            self.file_writes.clone().try_acquire_owned(),
        ) else {
            return;
        };
        let now = self.clock.now();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = files.write(&hex, &sealed, now) {
                tracing::debug!(%error, "an artifact was not kept on disk");
            }
            drop(place);
        });
    }

    /// Opened with the first component, when the engine's name is known; a folder that cannot be used is done without.
    fn files(&self, engine: &str) -> Option<Arc<ArtifactFiles>> {
        let open = || {
            let folder = self.budget.folder.as_deref()?;
            match ArtifactFiles::open(folder, engine, self.budget.folder_bytes) {
                Ok(files) => Some(Arc::new(files)),
                Err(error) => {
                    tracing::warn!(folder = %folder.display(), %error, "artifacts are not kept on disk");
                    None
                }
            }
        };
        self.files.get_or_init(open).clone()
    }
}

/// What turns sealed bytes into a plugin on the shelf. It blocks, and all of it is done on one thread: each hop to
/// another is part of a plugin's first call.
#[derive(Clone)]
struct Link {
    host: Arc<PluginHost>,
    key: Arc<ArtifactKey>,
    shelf: Arc<Mutex<Shelf<ComponentDigest, Plugin>>>,
    /// Whose turn wants it.
    tenant: TenantId,
    id: ArtifactId,
}

impl Link {
    /// None: there is no file, or not what there should be.
    async fn load_from_disk(
        self,
        files: Arc<ArtifactFiles>,
        now: Timestamp,
    ) -> Option<Result<Arc<Plugin>, NotRunnable>> {
        blocking(move || {
            let name = self.id.component.to_string();
            let sealed = files.read(&name, now)?;
            let artifact = match self.key.open(&self.id, sealed) {
                Ok(artifact) => artifact,
                Err(error) => {
                    tracing::warn!(digest = name, %error, "a file of the artifact cache was altered; it is removed");
                    files.remove(&name);
                    return None;
                }
            };
            let loaded = self.link(&artifact);
            if matches!(&loaded, Err(Unlinked::Load(LoadError::Artifact(_)))) {
                files.remove(&name);
            }
            Some(loaded.map_err(NotRunnable::from))
        })
        .await
    }

    fn load(self, sealed: Bytes) -> Result<Arc<Plugin>, NotRunnable> {
        let artifact = self.key.open(&self.id, sealed).map_err(not_loaded)?;
        Ok(self.link(&artifact)?)
    }

    fn link(&self, artifact: &AuthenticArtifact) -> Result<Arc<Plugin>, Unlinked> {
        let manifest = artifact.manifest().map_err(Unlinked::Manifest)?;
        let size = resident(artifact.bytes());
        let room = lock(&self.shelf).reserve(self.tenant, size);
        let (room, gone) = room.ok_or(Unlinked::NoRoom)?;
        let loaded = self.host.load(artifact, &manifest);
        if !gone.is_empty() {
            // Giving memory back to the system takes as long as loading. Nobody waits for it, and it waits for the load: both
            // change what is mapped, and who unmaps keeps everybody else from it.
            tokio::task::spawn_blocking(move || drop(gone));
        }
        match loaded {
            Ok(plugin) => {
                lock(&self.shelf).put(self.id.component, plugin.clone(), room);
                Ok(plugin)
            }
            Err(error) => {
                lock(&self.shelf).give_back(room);
                Err(Unlinked::Load(error))
            }
        }
    }
}

/// Why an authentic artifact is not on the shelf.
enum Unlinked {
    NoRoom,
    Manifest(ManifestError),
    Load(LoadError),
}

impl From<Unlinked> for NotRunnable {
    fn from(unlinked: Unlinked) -> Self {
        match unlinked {
            Unlinked::NoRoom => Self::NoRoom,
            Unlinked::Manifest(error) => not_loaded(error),
            Unlinked::Load(error) => not_loaded(error),
        }
    }
}

fn not_loaded(error: impl std::fmt::Display) -> NotRunnable {
    NotRunnable::Load(error.to_string())
}

pub(super) fn digest(hex_text: &str) -> Option<ComponentDigest> {
    let bytes = hex::decode(hex_text).ok()?;
    bytes.try_into().ok().map(ComponentDigest)
}

#[cfg(test)]
mod tests;
