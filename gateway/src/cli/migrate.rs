//! `vestibule migrate`

use std::process::ExitCode;

use super::output;
use crate::admin;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::domain::Clock;
use crate::storage::migrate;

/// Brings the database to this version's schema. On SQLite no server may run; on PostgreSQL several may migrate at once.
pub(super) async fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let _lock = admin::lock(config)?;
    let db = admin::open_database(config).await?;
    let pending = migrate::pending(&db).await?;
    migrate::migrate(&db, SystemClock.now()).await?;
    db.close().await;
    output::line(&format!(
        "{pending} migrations run; the database is up to date"
    ));
    Ok(ExitCode::SUCCESS)
}
