//! Opening what a configuration names: data folder, database, keys. For verbs that do without a server, and for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::context::AdminContext;
use super::lock::{DataLock, LockError, prepare_data_dir};
use crate::audit::Actor;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::domain::{Clock, IdGenerator};
use crate::graph::GraphClient;
use crate::graph::client::{HttpClientConfig, http_client};
use crate::jobs::Traffic;
use crate::ownership::{self, Holder};
use crate::plugin_host::{CompileLimits, Compiler};
use crate::secrets::{Keyring, KeyringError, Missing, Source, SystemEntropy};
use crate::storage::{self, Db, OpenOptions, StorageError, migrate, nodes};
use crate::tenants::SetupContext;

/// How long a verb may take before its id slot could be given to somebody else. Compiling may take two minutes.
const SLOT_TTL: Duration = Duration::from_secs(600);

/// Why a verb could not work on the deployment.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("the database cannot be used")]
    Storage(#[from] StorageError),
    #[error("the keys cannot be used")]
    Keyring(#[from] KeyringError),
    #[error("the database lacks {0} migrations: run `vestibule migrate`")]
    NotMigrated(usize),
    #[error("all node slots are taken: too many processes work on this database")]
    NoSlot,
    #[error("this program's own file is not known")]
    OwnFile(#[source] std::io::Error),
    #[error("the client towards Graph cannot be built")]
    Graph(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A deployment opened by this process alone (SQLite) or among others (PostgreSQL).
#[derive(Debug)]
pub struct Local {
    pub context: AdminContext,
    slot: u16,
    holder: String,
    /// Says to nodes that this verb lives, however long it takes.
    _life_line: nodes::LifeLine,
    _lock: Option<DataLock>,
}

/// The database of a configuration. Nothing is migrated.
pub async fn open_database(config: &Config) -> Result<Db, StorageError> {
    let connections = match config.sqlite_file() {
        Some(_) => config.database.sqlite_readers,
        None => config.database.postgres_connections,
    };
    let cache = config.database.sqlite_cache_bytes >> 20;
    storage::open(&OpenOptions {
        connections,
        sqlite_cache_mib: u32::try_from(cache).unwrap_or(u32::MAX),
        ..OpenOptions::new(config.database_url().expose())
    })
    .await
}

/// A client towards Graph, with connections of its own.
pub fn graph(config: &Config) -> Result<GraphClient, OpenError> {
    let http = http_client(&HttpClientConfig {
        connect_timeout: config.graph.connect_timeout,
        max_idle: config.graph.max_idle_connections,
        ..HttpClientConfig::default()
    });
    let http = http.map_err(|error| OpenError::Graph(error.into()))?;
    let (base_url, version) = (&config.graph.base_url, &config.graph.version);
    Ok(GraphClient::new(http, base_url, version))
}

/// The keys of a configuration. On SQLite a key file is made when there is none.
pub fn load_keyring(config: &Config) -> Result<Keyring, KeyringError> {
    let keys = &config.secrets.keys;
    let source = match keys.is_empty() {
        false => Source::Given(keys.iter().map(|key| key.expose().into()).collect()),
        true => Source::File {
            path: config.key_file(),
            if_missing: match config.sqlite_file() {
                Some(_) => Missing::Create,
                None => Missing::Refuse,
            },
        },
    };
    Keyring::load(source, Arc::new(SystemEntropy))
}

/// The file of this same program, which takes the hidden verbs of children.
pub fn own_program() -> Result<PathBuf, OpenError> {
    std::env::current_exe().map_err(OpenError::OwnFile)
}

/// The compiler of uploads: this same program, started anew under limits.
pub fn compiler(config: &Config) -> Result<Compiler, OpenError> {
    let at_once = CompileLimits::default().at_once;
    Ok(compiler_of(config, own_program()?, at_once))
}

/// One that runs so many children of a program at once.
pub fn compiler_of(config: &Config, program: PathBuf, at_once: usize) -> Compiler {
    let limits = CompileLimits {
        at_once,
        memory: config.plugins.compile_memory_bytes,
        cpu: config.plugins.compile_cpu,
        wall: config.plugins.compile_timeout,
        ..CompileLimits::default()
    };
    Compiler::new(program, limits)
}

/// The lock of the data folder, which is made when it is not there. `None` on PostgreSQL, which locks by itself.
pub fn lock(config: &Config) -> Result<Option<DataLock>, LockError> {
    prepare_data_dir(&config.data_dir)?;
    let sqlite = config.sqlite_file().is_some();
    sqlite
        .then(|| DataLock::acquire(&config.lock_file()))
        .transpose()
}

impl Local {
    /// Opens the deployment for one command. The database must be migrated.
    pub async fn open(config: &Config) -> Result<Self, OpenError> {
        let lock = lock(config)?;
        let db = open_database(config).await?;
        match migrate::pending(&db).await? {
            0 => {}
            pending => return Err(OpenError::NotMigrated(pending)),
        }
        let keyring = Arc::new(load_keyring(config)?);
        let holder = ownership::holder_name(Holder::Verb, SystemClock.now());
        let nodes::Leased { slot, life_line } = nodes::lease_slot(&db, &holder, SLOT_TTL)
            .await?
            .ok_or(OpenError::NoSlot)?;
        let ids = IdGenerator::new(slot.number, slot.id_floor);
        let setup = SetupContext {
            require_signature: config.plugins.require_signature,
            uploads_per_tenant: config.plugins.uploads_per_tenant,
            by: Actor::command_line(rustix::process::getuid().as_raw()),
            ..SetupContext::new(db, keyring, Arc::new(SystemClock), ids)
        };
        let compiler = Arc::new(compiler(config)?);
        // SQLite's file is locked: nobody else works on it.
        let traffic = match setup.db.is_sqlite() {
            true => Traffic::default(),
            false => Traffic::elsewhere(),
        };
        Ok(Self {
            context: AdminContext {
                setup,
                compiler,
                graph: graph(config)?,
                traffic,
            },
            slot: slot.number,
            holder,
            _life_line: life_line,
            _lock: lock,
        })
    }

    /// Gives the id slot back and closes the database. A killed verb's slot is freed by a node, or runs out.
    pub async fn close(self) -> Result<(), StorageError> {
        let SetupContext { db, ids, clock, .. } = &self.context.setup;
        let floor = ids.high_water().max(clock.now());
        nodes::renew_slot(db, self.slot, &self.holder, SLOT_TTL, floor).await?;
        nodes::free_slot(db, self.slot, &self.holder).await?;
        db.close().await;
        Ok(())
    }
}
