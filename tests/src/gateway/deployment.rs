//! What several processes of one gateway share, and the verbs of the command line upon it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;
use vestibule::delivery::Observer;
use vestibule::domain::Clock;

use super::in_process::InProcessNode;
use super::node::GatewayProcess;

/// Which program is the gateway.
#[derive(Debug, Clone)]
pub struct Program(PathBuf);

impl Program {
    /// The binary that Cargo builds for this package's integration tests (see `tests/Cargo.toml`): it lies beside the
    /// folder of the test executable.
    pub fn under_test() -> Self {
        let test = std::env::current_exe().expect("a running test has a path");
        let folder = test
            .parent()
            .and_then(Path::parent)
            .expect("target/PROFILE/deps/TEST");
        let program = folder.join("vestibule-under-test");
        assert!(program.is_file(), "{} is not built", program.display());
        Self(program)
    }

    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }
}

/// Settings and data of a gateway, whichever processes of it run.
#[derive(Debug)]
pub struct Deployment {
    program: Program,
    folder: TempDir,
    settings: BTreeMap<String, String>,
}

/// 32 bytes each, for every deployment of every test: they guard nothing.
pub const KEYS: &str = r#"["root:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","1:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="]"#;

impl Deployment {
    /// On a database that is already migrated or not, with `graph_base_url` as Meta.
    pub fn new(program: Program, database_url: &str, graph_base_url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            program,
            folder,
            settings: BTreeMap::new(),
        }
        .with("database.url", database_url)
        .with("graph.base_url", graph_base_url)
        .with("secrets.keys", KEYS)
        .with("log.format", "text")
        // Tests of sends leave templates to Meta to judge, as before the first sync.
        .with("templates.sync_every", "0s")
        .with("graph.quality_every", "0s")
        .with("graph.blocks_every", "0s")
    }

    /// Sets a configuration key, written as in the file: `leases.ttl`.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.settings.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Folder of a node's own files; the same name is the same folder, so a restarted node finds its own.
    pub fn data_dir(&self, node: &str) -> PathBuf {
        self.folder.path().join(node)
    }

    /// Starts a node and waits until it is ready. Nodes of one deployment have different names.
    pub async fn start(&self, node: &str) -> GatewayProcess {
        GatewayProcess::start(self, node).await
    }

    /// Starts a node inside this process and waits until it listens. `clock` is its time.
    pub async fn start_in_process(&self, node: &str, clock: Arc<dyn Clock>) -> InProcessNode {
        self.start_in_process_observed(node, clock, Arc::new(()))
            .await
    }

    /// As [`Self::start_in_process`], with somebody who is told of every send.
    pub async fn start_in_process_observed(
        &self,
        node: &str,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> InProcessNode {
        InProcessNode::start(self, node, clock, observer).await
    }

    /// The program with this deployment's configuration and nothing else in its environment.
    pub fn command(&self, node: &str) -> Command {
        let mut command = Command::new(&self.program.0);
        command.env_clear().envs(self.environment(node));
        // What a program that is killed leaves behind goes with the deployment.
        command.env("TMPDIR", self.folder.path());
        command
    }

    pub(super) fn environment(&self, node: &str) -> Vec<(String, String)> {
        let data_dir = self.data_dir(node).display().to_string();
        let settings = self
            .settings
            .iter()
            .map(|(key, value)| (variable(key), value.clone()));
        settings.chain([(variable("data_dir"), data_dir)]).collect()
    }

    /// Runs a verb to its end as an operator would and answers what it printed. `secrets` are environment variables.
    pub async fn run(&self, node: &str, arguments: &[&str], secrets: &[(&str, &str)]) -> String {
        let mut command = tokio::process::Command::from(self.command(node));
        let output = command
            .args(arguments)
            .envs(secrets.iter().copied())
            .output()
            .await
            .expect("the program starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "vestibule {}: {error}",
            arguments.join(" ")
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// `leases.ttl` → `VESTIBULE__LEASES__TTL`.
pub(super) fn variable(key: &str) -> String {
    format!("VESTIBULE__{}", key.replace('.', "__").to_uppercase())
}
