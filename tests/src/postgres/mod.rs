//! A throw-away PostgreSQL cluster: made, started and removed by the test run that uses it.
//!
//! Works as root (the server then runs as another user, because PostgreSQL refuses root) and as an ordinary user. No TCP
//! port: the server listens on a socket in its own folder. The cluster goes when the process goes, however it ends.

mod cluster;
mod fresh;
mod programs;

use std::sync::OnceLock;

use sqlx::{Connection, Executor, PgConnection};
use vestibule::storage;

pub use cluster::{Cluster, Durability};
pub use fresh::FreshDatabase;
pub use programs::Missing;
pub(crate) use programs::path as folders_of_path;

const TEMPLATE: &str = "vestibule_template";

/// The cluster of this test run, its template database migrated; `None`, said loudly, when the machine has no
/// PostgreSQL. Under CI a missing PostgreSQL is a failure: a test that did not run must not look like one that passed.
pub fn shared() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    SHARED.get_or_init(start_or_skip).as_ref()
}

fn start_or_skip() -> Option<Cluster> {
    match Cluster::start(Durability::Fast) {
        Ok(cluster) => {
            on_own_thread(make_template(&cluster)).expect("a migrated template database");
            Some(cluster)
        }
        Err(error) if error.is::<Missing>() && !is_ci() => {
            eprintln!("SKIPPED on PostgreSQL: {error}. Debian: apt-get install postgresql");
            None
        }
        Err(error) => panic!("no PostgreSQL cluster for the tests: {error:#}"),
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "CI is said by the environment, and the harness has no other settings"
)]
pub(crate) fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// An empty database of any cluster: its URL.
pub async fn empty_database(cluster: &Cluster, name: &str) -> anyhow::Result<String> {
    create(cluster, name, "").await?;
    Ok(cluster.url(name))
}

async fn create(cluster: &Cluster, name: &str, how: &str) -> anyhow::Result<()> {
    administer(cluster, format!("CREATE DATABASE {name} {how}")).await
}

/// Runs a statement that is about databases.
async fn administer(cluster: &Cluster, statement: String) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(&cluster.url("postgres")).await?;
    connection.execute(sqlx::AssertSqlSafe(statement)).await?;
    Ok(connection.close().await?)
}

async fn make_template(cluster: &Cluster) -> anyhow::Result<()> {
    create(cluster, TEMPLATE, "").await?;
    let db = storage::open(&storage::OpenOptions::new(cluster.url(TEMPLATE))).await?;
    storage::migrate::migrate(&db, crate::db::now()).await?;
    // A database with a connection cannot be a template.
    db.close().await;
    Ok(())
}

/// Runs a future to its end from inside or outside of a runtime.
fn on_own_thread<T: Send>(
    work: impl Future<Output = anyhow::Result<T>> + Send,
) -> anyhow::Result<T> {
    std::thread::scope(|scope| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = scope.spawn(move || runtime.block_on(work));
        thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
