//! Everything that a run on one database kind stands on: folders, the database, and the processes under test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use tempfile::TempDir;
use vestibule_tests::postgres::{self, Cluster, Durability};
use vestibule_tests::process::{Process, free_address};

use crate::cpu::{self, Tree};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// Folders and, for PostgreSQL, a cluster with real fsync. Gone with the value.
pub struct Stage {
    pub database: Database,
    folder: TempDir,
    cluster: Option<Cluster>,
}

/// A server under test: who answers, and whose CPU counts as its own.
pub struct Server {
    pub process: Process,
    pub listen: SocketAddr,
    pub trees: Vec<Tree>,
}

impl Server {
    pub fn cpu(&self) -> Duration {
        cpu::used(&self.trees)
    }
}

impl Stage {
    /// `below` decides which disk is measured.
    pub fn set(database: Database, below: &Path) -> anyhow::Result<Self> {
        let cluster = match database {
            Database::Sqlite => None,
            Database::Postgres => Some(Cluster::start(Durability::Real)?),
        };
        let folder = tempfile::Builder::new()
            .prefix("vestibule-bench-")
            .tempdir_in(below)?;
        Ok(Self {
            database,
            folder,
            cluster,
        })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// URL of a new, empty database.
    pub async fn new_database(&self, name: &str) -> anyhow::Result<String> {
        match &self.cluster {
            Some(cluster) => postgres::empty_database(cluster, name).await,
            None => Ok(format!(
                "sqlite:{}",
                self.path(name).with_extension("db").display()
            )),
        }
    }

    pub async fn baseline(&self, secret: &str) -> anyhow::Result<Server> {
        let database = self.new_database("baseline").await?;
        let listen = free_address();
        let mut command = own_role("baseline")?;
        command.args([&listen.to_string(), &database, secret]);
        let process = Process::start(&mut command, &self.path("baseline.log"))?;
        self.server(process, listen).await
    }

    /// Waits until it listens.
    pub async fn server(&self, mut process: Process, listen: SocketAddr) -> anyhow::Result<Server> {
        vestibule_tests::until("the server listens", async || {
            let ended = process.has_ended();
            assert!(ended.is_none(), "the server ended: {}", process.logs());
            tokio::net::TcpStream::connect(listen).await.ok()
        })
        .await;
        let database = self.cluster.as_ref().and_then(Cluster::pid).map(Tree);
        let trees = std::iter::once(Tree(process.pid()))
            .chain(database)
            .collect();
        Ok(Server {
            process,
            listen,
            trees,
        })
    }
}

/// This binary again, as one of the processes under test: `cargo run -p vestibule-bench` builds no other binary.
pub fn own_role(role: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("our own path")?);
    command.arg(role);
    Ok(command)
}
