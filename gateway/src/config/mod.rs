//! Configuration: built-in defaults ← the operator's file ← the environment, into one typed [`Config`].
//!
//! The only place that reads the environment. It decides nothing and opens nothing: sections are plain data that `app`
//! hands to whom they concern. `config.default.toml` is the manual: every key stands there, commented.

mod check;
mod layers;
mod network;
mod reader;
mod sections;
mod setting;

use std::fmt;
use std::path::{Path, PathBuf};

pub use network::Network;
pub use sections::{
    Api, Database, Delivery, Graph, Hooks, Http, Ingest, Leases, Log, Metrics, Plugins, Retention,
    Secrets, Shutdown, Templates, Traces, Turns,
};
pub use setting::{DatabaseUrl, Hidden, LogFormat};

use reader::Reader;

/// While one turn runs on a guest thread, others load their facts or wait for their commit: about half of them each, and
/// a commit costs the less a turn the more turns it holds (`bench`). Beyond 128 a commit holds SQLite's writer too long.
const TURNS_PER_GUEST_THREAD: usize = 128;

/// The whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where this process keeps its files.
    pub data_dir: PathBuf,
    pub http: Http,
    pub api: Api,
    pub metrics: Metrics,
    pub traces: Traces,
    pub database: Database,
    pub graph: Graph,
    pub secrets: Secrets,
    pub ingest: Ingest,
    pub turns: Turns,
    pub delivery: Delivery,
    pub plugins: Plugins,
    pub hooks: Hooks,
    pub leases: Leases,
    pub retention: Retention,
    pub templates: Templates,
    pub log: Log,
    pub shutdown: Shutdown,
}

impl Config {
    /// Reads the defaults, then `file`, then this process's environment.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        #[allow(
            clippy::disallowed_methods,
            reason = "config is the one reader of the environment"
        )]
        let variables = std::env::vars_os();
        // A variable that is no text is none of ours: our names are ASCII, and a path that is not UTF-8 can stand in no
        // key. `env::vars` would panic at a stranger's.
        let texts = variables.filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self::load_with(file, texts)
    }

    /// As [`Config::load`], with an environment that is handed in.
    pub fn load_with(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let figment = layers::merged(file, environment)?;
        let mut reader = Reader::new(&figment);
        let config = Self::read(&mut reader);
        reader.refuse_unknown_keys();
        if let Some(config) = &config {
            check::check(config, &mut reader);
        }
        let problems = reader.into_problems();
        config
            .filter(|_| problems.is_empty())
            .map(Self::with_machine)
            .ok_or(ConfigError(problems))
    }

    /// Puts in what depends on the machine where the operator left it open.
    fn with_machine(mut self) -> Self {
        if self.plugins.guest_threads == 0 {
            self.plugins.guest_threads =
                std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        }
        if self.plugins.recompile_concurrency == 0 {
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
            self.plugins.recompile_concurrency = cores.saturating_sub(1).max(1);
        }
        if self.turns.concurrency == 0 {
            self.turns.concurrency = TURNS_PER_GUEST_THREAD * self.plugins.guest_threads;
        }
        self
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        // Every section is read before the first missing one ends it, so that all problems are found.
        let data_dir = reader.get("data_dir");
        let http = Http::read(reader);
        let api = Api::read(reader);
        let metrics = Metrics::read(reader);
        let traces = Traces::read(reader);
        let database = Database::read(reader);
        let graph = Graph::read(reader);
        let secrets = Secrets::read(reader);
        let ingest = Ingest::read(reader);
        let turns = Turns::read(reader);
        let delivery = Delivery::read(reader);
        let plugins = Plugins::read(reader);
        let hooks = Hooks::read(reader);
        let leases = Leases::read(reader);
        let retention = Retention::read(reader);
        let templates = Templates::read(reader);
        let log = Log::read(reader);
        let shutdown = Shutdown::read(reader);
        Some(Self {
            data_dir: data_dir?,
            http: http?,
            api: api?,
            metrics: metrics?,
            traces: traces?,
            database: database?,
            graph: graph?,
            secrets: secrets?,
            ingest: ingest?,
            turns: turns?,
            delivery: delivery?,
            plugins: plugins?,
            hooks: hooks?,
            leases: leases?,
            retention: retention?,
            templates: templates?,
            log: log?,
            shutdown: shutdown?,
        })
    }

    /// The SQLite file, if the database is SQLite.
    pub fn sqlite_file(&self) -> Option<PathBuf> {
        match &self.database.url {
            DatabaseUrl::Sqlite(None) => Some(self.data_dir.join("vestibule.db")),
            DatabaseUrl::Sqlite(Some(path)) => Some(path.clone()),
            DatabaseUrl::Postgres(_) => None,
        }
    }

    /// The URL that the database is opened by.
    pub fn database_url(&self) -> Hidden {
        match (&self.database.url, self.sqlite_file()) {
            (DatabaseUrl::Postgres(url), _) => url.clone(),
            (_, file) => {
                let file = file.unwrap_or_default();
                Hidden::new(format!("sqlite:{}", file.display()))
            }
        }
    }

    pub fn key_file(&self) -> PathBuf {
        let default = || self.data_dir.join("keys.toml");
        self.secrets.key_file.clone().unwrap_or_else(default)
    }

    /// Where command-line verbs reach the running server (SQLite).
    pub fn admin_socket(&self) -> PathBuf {
        self.data_dir.join("admin.sock")
    }

    /// Machine code that this node keeps beside the database.
    pub fn artifact_folder(&self) -> PathBuf {
        self.data_dir.join("artifacts")
    }

    /// Held by whoever has the SQLite file open for writing.
    pub fn lock_file(&self) -> PathBuf {
        self.data_dir.join("lock")
    }
}

/// The value of an environment variable that an operator named, for secrets of the command line.
pub fn secret_from_environment(name: &str) -> Option<Hidden> {
    #[allow(
        clippy::disallowed_methods,
        reason = "config is the one reader of the environment"
    )]
    std::env::var(name).ok().map(Hidden::new)
}

/// Does whoever sits at the terminal want no colours (<https://no-color.org>), or has it none?
pub fn no_colours() -> bool {
    #[allow(
        clippy::disallowed_methods,
        reason = "config is the one reader of the environment"
    )]
    let variable = |name| std::env::var_os(name).unwrap_or_default();
    !variable("NO_COLOR").is_empty() || variable("TERM") == "dumb"
}

/// One thing that is wrong: which key, where its value came from, what is wrong with it. Never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub key: String,
    pub origin: String,
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.origin, self.what),
            key => write!(f, "{key} (from {}): {}", self.origin, self.what),
        }
    }
}

/// All problems of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has problems:")?;
        self.0
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

#[cfg(test)]
mod tests;
