//! Installed plugins, loaded: from an installation to something that the plugin host can run.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::components::{ComponentBudget, Components, Stocked, digest};
use super::shelf::{Budget, Shelf};
use crate::directory::{Directory, NumberEntry};
use crate::domain::rollout::Rule;
use crate::domain::{Clock, InstallationId, TenantId, Timestamp};
use crate::plugin_host::{
    ArtifactKey, ComponentDigest, ConfigJson, Grants, Limits, Overload, Plugin, PluginBinding,
    PluginHost, SetupUnreadable, StoredSetup,
};
use crate::storage::installations::Installation;
use crate::storage::plugin_health::{self, Part};
use crate::storage::plugin_versions::Version;
use crate::storage::{Db, StorageError};
use crate::sync::lock;
use crate::tenants::installations::Wanted;

/// Why an installed plugin cannot run. It counts as that plugin's fault; the others of the turn go on.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotRunnable {
    #[error(transparent)]
    Storage(Arc<StorageError>),
    #[error("it is not compiled yet for this engine: {0}")]
    NotCompiled(String),
    #[error("the components in use leave no room for it")]
    NoRoom,
    /// The same bytes may be uploaded again, or a release of the gateway may take them.
    #[error("this engine refuses it: {0}")]
    Refused(String),
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
    /// May it be otherwise in a moment, though nobody changes the installation?
    pub(super) fn passes(&self) -> bool {
        !matches!(self, Self::Load(_) | Self::Corrupt(_))
    }

    /// After how long it is tried again, if the installation does not change before.
    fn again(&self) -> Duration {
        match self {
            Self::Storage(_) | Self::Refused(_) => TRY_AGAIN,
            Self::NotCompiled(_) => COMPILED_SOON,
            // The next turn that ends may make room.
            Self::NoRoom => Duration::ZERO,
            // It may have been the machine, or be mended in the database.
            Self::Load(_) | Self::Corrupt(_) => HARDLY_PASSES,
        }
    }

    /// Nothing is wrong with the plugin: the turn waits for it.
    fn waits(&self) -> Option<Overload> {
        match self {
            Self::NotCompiled(_) => Some(Overload::NotCompiled),
            Self::NoRoom => Some(Overload::Components),
            _ => None,
        }
    }
}

/// How long what may pass is not tried again: not with every message.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// The same for what another try will hardly change.
const HARDLY_PASSES: Duration = Duration::from_secs(20);
/// The same for what is being compiled, which takes some tenths of a second.
const COMPILED_SOON: Duration = Duration::from_millis(250);
/// Setups in memory: text that a tenant wrote, up to `SETTINGS_BYTES` each. The database has all of them.
const SETUPS: Budget = Budget {
    count: 20_000,
    bytes: 64 << 20,
};
/// What a setup takes beside its settings.
const SETUP_BYTES: usize = 1 << 10;

type Runnable = Result<PluginBinding, NotRunnable>;

/// Loads plugins when a turn first needs them, and knows under which setup they run.
pub struct Plugins {
    components: Components,
    db: Db,
    directory: Arc<Directory>,
    limits: Limits,
    /// By installation and version. What cannot run is remembered too: it is not read again for every message.
    setups: Mutex<Shelf<(InstallationId, i64), Bound>>,
    clock: Arc<dyn Clock>,
}

/// What a node's plugins are made of.
pub struct PluginsParts {
    pub host: Arc<PluginHost>,
    pub db: Db,
    pub directory: Arc<Directory>,
    pub key: ArtifactKey,
    pub limits: Limits,
    pub clock: Arc<dyn Clock>,
    pub budget: ComponentBudget,
    /// Components that turns wait for, for whoever compiles.
    pub wanted: Arc<Wanted>,
}

#[derive(Debug)]
struct Bound {
    /// The installation's when it was made.
    generation: i64,
    setup: Result<Setup, NotRunnable>,
    /// Not tried again before; `None`: not before the installation changes.
    again_at: Option<Timestamp>,
}

/// A binding without its component, which may go and come again.
#[derive(Debug)]
struct Setup {
    digest: ComponentDigest,
    config: Arc<ConfigJson>,
    grants: Grants,
    limits: Limits,
    mark: Arc<str>,
}

impl Setup {
    fn of(binding: &PluginBinding, digest: ComponentDigest) -> Self {
        Self {
            digest,
            config: binding.config.clone(),
            grants: binding.grants.clone(),
            limits: binding.limits.clone(),
            mark: binding.setup.clone(),
        }
    }

    fn with(&self, plugin: Arc<Plugin>, installation: InstallationId) -> PluginBinding {
        PluginBinding {
            plugin,
            installation,
            config: self.config.clone(),
            grants: self.grants.clone(),
            limits: self.limits.clone(),
            setup: self.mark.clone(),
        }
    }
}

/// Who plays in a turn, in order.
pub(super) struct Cast {
    pub bindings: Vec<PluginBinding>,
    /// Beside each binding: which version it is, and by what it is judged.
    pub parts: Vec<Part>,
    pub rules: Vec<Rule>,
    /// Plugins that should play and cannot.
    pub broken: Vec<String>,
    /// Those of them that this node cannot load.
    pub unloaded: Vec<Unloaded>,
    /// Why the turn is to wait for one of them.
    pub waits: Option<Overload>,
}

/// A plugin that should play and that this node cannot load.
#[derive(Debug)]
pub(super) struct Unloaded {
    pub plugin: String,
    pub hears_receipts: bool,
    pub since: Timestamp,
}

impl Cast {
    /// Does this plugin play?
    pub fn has(&self, plugin: &str) -> bool {
        let mut bindings = self.bindings.iter();
        bindings.any(|binding| binding.plugin.name() == plugin)
    }
}

impl Plugins {
    pub fn new(parts: PluginsParts) -> Self {
        let components = Components::new(
            parts.host,
            parts.db.clone(),
            parts.key,
            parts.clock.clone(),
            parts.budget,
            parts.wanted,
        );
        Self {
            components,
            db: parts.db,
            directory: parts.directory,
            limits: parts.limits,
            setups: Mutex::new(Shelf::new(SETUPS)),
            clock: parts.clock,
        }
    }

    pub(super) fn host(&self) -> &PluginHost {
        self.components.host()
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
            rules: Vec::new(),
            broken: Vec::new(),
            unloaded: Vec::new(),
            waits: None,
        };
        let giving_way = self.giving_way(entry, &choose).await;
        for installation in &entry.installations {
            if giving_way.contains(&installation.id) {
                continue;
            }
            if installation.paused {
                cast.broken.push(installation.plugin.clone());
                continue;
            }
            match choose(installation) {
                Some(version) => self.add_to(&mut cast, installation, version).await,
                None if !installation.is_missed() => {}
                None => cast.broken.push(installation.plugin.clone()),
            }
        }
        cast
    }

    /// Where a number has its own version of a plugin on trial beside the tenant's installation: the one of the two that
    /// leaves its place to the other. The own one has it where it was chosen and can run.
    async fn giving_way<'a>(
        &self,
        entry: &'a NumberEntry,
        choose: impl Fn(&'a Installation) -> Option<&'a Version>,
    ) -> HashSet<InstallationId> {
        let all = &entry.installations;
        let mut giving_way = HashSet::new();
        for own in all.iter().filter(|one| one.number.is_some()) {
            let Some(tenants) = all.iter().find(|other| own.takes_place_of(other)) else {
                continue;
            };
            let plays = match choose(own).filter(|_| !own.paused) {
                Some(version) => self.binding(own, version).await.is_ok(),
                None => false,
            };
            giving_way.insert(if plays { tenants.id } else { own.id });
        }
        giving_way
    }

    async fn add_to(&self, cast: &mut Cast, installation: &Installation, chosen: &Version) {
        match self.runnable(installation, chosen).await {
            Ok((binding, version)) => {
                cast.bindings.push(binding);
                cast.parts
                    .push(super::rollouts::part(installation, version));
                cast.rules.push(Rule {
                    bounds: installation.bounds,
                    watch: version.watch(),
                });
            }
            Err(Some(waits)) => cast.waits = Some(waits),
            Err(None) => {
                cast.broken.push(installation.plugin.clone());
                let since = self.directory.unloadable().since(installation.id);
                cast.unloaded.push(Unloaded {
                    plugin: installation.plugin.clone(),
                    hears_receipts: installation.hears_receipts,
                    // None: it was loaded a moment ago.
                    since: since.unwrap_or_else(|| self.clock.now()),
                });
            }
        }
    }

    /// The version that was chosen, or the active one in its place. An error says why the turn is to wait, if it is.
    async fn runnable<'a>(
        &self,
        installation: &'a Installation,
        chosen: &'a Version,
    ) -> Result<(PluginBinding, &'a Version), Option<Overload>> {
        let active = installation.active();
        let active = active.filter(|_| installation.open_breaker().is_none());
        let others = active.filter(|active| active.seq != chosen.seq);
        let mut waits = None;
        for version in std::iter::once(chosen).chain(others) {
            match self.binding(installation, version).await {
                Ok(binding) => return Ok((binding, version)),
                Err(error) => waits = error.waits().or(waits),
            }
        }
        Err(waits)
    }

    /// A version as turns run it.
    pub(super) async fn binding(&self, installation: &Installation, version: &Version) -> Runnable {
        let key = (installation.id, version.seq);
        let now = self.clock.now();
        let known = lock(&self.setups).get(&key);
        if let Some(known) = known
            && known.generation == installation.generation
            && known.again_at.is_none_or(|again| now < again)
        {
            let setup = known.setup.as_ref().map_err(NotRunnable::clone)?;
            if let Some(plugin) = self.components.loaded(&setup.digest) {
                return Ok(setup.with(plugin, installation.id));
            }
        }
        let runnable = self.bind(installation, version).await;
        let setup = match &runnable {
            Ok((binding, digest)) => Ok(Setup::of(binding, *digest)),
            Err(error) => Err(error.clone()),
        };
        let again = setup.as_ref().err().map(NotRunnable::again);
        let bound = Bound {
            generation: installation.generation,
            setup,
            again_at: again.map(|after| now.plus(after)),
        };
        // Twice, because settings are kept whole and key by key.
        let bytes = 2 * version.config.len() + SETUP_BYTES;
        let mut setups = lock(&self.setups);
        // Under the lock, so that of two tries the one that is remembered is the one that is told.
        match &runnable {
            Ok(_) => self.directory.unloadable().tried(key, true, now),
            Err(error) if error.waits().is_some() => {}
            Err(error) => {
                let (installation, version) = key;
                tracing::warn!(%installation, version, %error, "a plugin cannot run");
                self.directory.unloadable().tried(key, false, now);
            }
        }
        if let Some((room, _)) = setups.reserve(installation.tenant, bytes) {
            setups.put(key, Arc::new(bound), room);
        }
        runnable.map(|(binding, _)| binding)
    }

    /// Drops what no number runs any more: it would wait long for its turn to go.
    fn forget_retired(&self) {
        let snapshot = self.directory.snapshot();
        let installed = || snapshot.numbers().flat_map(|number| &number.installations);
        let versions = || installed().flat_map(|row| row.versions.iter().map(move |v| (row, v)));
        let keys: HashSet<_> = versions().map(|(row, v)| (row.id, v.seq)).collect();
        let digests: HashSet<_> = versions().filter_map(|(_, v)| digest(&v.digest)).collect();
        lock(&self.setups).retain(|key| keys.contains(key));
        let unloadable = self.directory.unloadable();
        unloadable.retain(|key| keys.contains(key));
        self.components.retain(|digest| digests.contains(digest));
    }

    async fn bind(
        &self,
        installation: &Installation,
        version: &Version,
    ) -> Result<(PluginBinding, ComponentDigest), NotRunnable> {
        let digest =
            digest(&version.digest).ok_or_else(|| NotRunnable::Corrupt("digest".to_owned()))?;
        let plugin = self.components.get(installation.tenant, &version.digest);
        let plugin = plugin.await?;
        let stored = StoredSetup {
            digest: &version.digest,
            config: &version.config,
            grants: &version.grants,
        };
        let binding = PluginBinding::of(plugin, installation.id, stored, &self.limits);
        let binding = binding.map_err(|error| {
            let what = match error {
                SetupUnreadable::Config(_) => "config",
                SetupUnreadable::Grants(_) => "grants",
            };
            NotRunnable::Corrupt(what.to_owned())
        })?;
        Ok((binding, digest))
    }

    /// Loads what ran lately; then keeps memory and disk free of what is installed no more, and on disk what is, until
    /// stopped.
    pub async fn keep(self: Arc<Self>, stop: CancellationToken) {
        if let Err(error) = self.warm(&stop).await {
            tracing::warn!(error = ?error, "plugins are not loaded before their first messages");
        }
        let stocking = async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.keep_stocked() => {}
            }
        };
        tokio::join!(self.tidy(&stop), stocking);
    }

    async fn tidy(&self, stop: &CancellationToken) {
        let mut tick = tokio::time::interval(TIDY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut changed = self.directory.changes();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            if changed.has_changed().unwrap_or(false) {
                changed.borrow_and_update();
                self.forget_retired();
            }
            self.components.tell();
        }
    }

    /// Puts on disk what is installed, as it changes.
    async fn keep_stocked(&self) {
        let mut changed = self.directory.changes();
        loop {
            let is_all = self.stock().await;
            // What is being compiled comes later, without a change of what is installed.
            let again = tokio::time::sleep(STOCK_AGAIN);
            tokio::select! {
                changed = changed.changed() => if changed.is_err() { return },
                () = again, if !is_all => {}
            }
            tokio::time::sleep(TIDY).await;
        }
    }

    /// Puts on disk what a message may call next. Answers whether it is all there, or all that there is room for.
    async fn stock(&self) -> bool {
        let snapshot = self.directory.snapshot();
        let installed = snapshot.numbers().flat_map(|number| &number.installations);
        let called = installed.flat_map(|row| {
            let versions = row.active().into_iter().chain(row.candidate());
            versions.map(|version| (version.digest.as_str(), row.tenant))
        });
        let called: HashMap<&str, TenantId> = called.collect();
        let mut is_all = true;
        for (digest, tenant) in called {
            match self.components.stock(tenant, digest).await {
                Ok(Stocked::Already) => continue,
                Ok(Stocked::Now) => {}
                Ok(Stocked::NotCompiled) => is_all = false,
                Ok(Stocked::Nowhere) => return true,
                Err(error) => {
                    tracing::warn!(error = ?error, "what is installed is not put on disk; it is tried again");
                    return false;
                }
            }
            // One at a time and seldom: nobody waits for it, and messages come meanwhile.
            tokio::time::sleep(STOCK_PAUSE).await;
        }
        is_all
    }

    /// What ran last comes first, until a part of the budget is left for what nobody foresaw.
    async fn warm(&self, stop: &CancellationToken) -> Result<(), StorageError> {
        let snapshot = self.directory.snapshot();
        let numbers = snapshot.numbers();
        let mut installed: HashMap<InstallationId, &Installation> = HashMap::new();
        for number in numbers {
            installed.extend(number.installations.iter().map(|row| (row.id, row)));
        }
        let mut tx = self.db.read().await?;
        let lately = plugin_health::ran_lately_all_tenants(&mut tx, WARM_MOST).await?;
        drop(tx);
        let mut warm = 0;
        for (id, seq) in lately {
            if stop.is_cancelled() || !self.components.has_spare_room() {
                break;
            }
            let Some(installation) = installed.get(&id) else {
                continue;
            };
            let version = installation.versions.iter().find(|v| v.seq == seq);
            if let Some(version) = version
                && self.binding(installation, version).await.is_ok()
            {
                warm += 1;
            }
        }
        if warm > 0 {
            tracing::info!(plugins = warm, "plugins that ran lately are loaded");
        }
        Ok(())
    }
}

/// Between two artifacts that are put on disk. A guess: some twenty times what one takes; 10,000 take seven minutes.
const STOCK_PAUSE: Duration = Duration::from_millis(40);
/// Until what was not compiled, or could not be read, is tried again.
const STOCK_AGAIN: Duration = Duration::from_secs(60);
/// Between two looks at what is held.
const TIDY: Duration = Duration::from_secs(5);
/// Versions that a start looks at.
const WARM_MOST: i64 = 20_000;
