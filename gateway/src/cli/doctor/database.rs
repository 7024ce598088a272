//! The database: reachable, migrated, durable, its clock ours, its secrets readable.

use std::sync::Arc;
use std::time::Duration;

use super::Finding;
use crate::admin;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::domain::{Clock, IdGenerator, Timestamp};
use crate::storage::server::{Server, server_all_tenants};
use crate::storage::{Db, StorageError, migrate, nodes};
use crate::tenants::{SetupContext, keys};

/// Beyond it Meta's timestamps and ours no longer tell the same window; ids and leases use the database's clock.
const SKEW_DOUBTFUL: Duration = Duration::from_secs(2);
const SKEW_BAD: Duration = Duration::from_secs(30);

pub(super) async fn look(config: &Config) -> Vec<Finding> {
    if config.sqlite_file().is_some_and(|file| !file.exists()) {
        let detail = "not there yet: `vestibule migrate` makes it";
        return vec![Finding::doubtful("database", detail)];
    }
    let db = match admin::open_database(config).await {
        Ok(db) => db,
        Err(error) => return vec![Finding::failed("database", error)],
    };
    let mut findings = match server_all_tenants(&db).await {
        Ok(server) => server_findings(&db, &server),
        Err(error) => return vec![Finding::failed("database", error)],
    };
    let migrations = migrations(&db).await;
    let migrated = migrations.health == super::Health::Good;
    findings.push(migrations);
    findings.push(
        clock(&db)
            .await
            .unwrap_or_else(|error| Finding::failed("clock", error)),
    );
    // Without a key file there is no secret yet, and looking must not make one.
    if migrated && (config.key_file().exists() || !config.secrets.keys.is_empty()) {
        findings.push(envelopes(config, &db).await);
    }
    db.close().await;
    findings
}

fn server_findings(db: &Db, server: &Server) -> Vec<Finding> {
    let name = if db.is_sqlite() {
        "SQLite"
    } else {
        "PostgreSQL"
    };
    let mut findings = vec![Finding::good(
        "database",
        format!("{name} {}", server.version),
    )];
    findings.extend(
        server
            .settings
            .iter()
            .map(|(name, value)| setting(name, value)),
    );
    findings
}

/// Promise 1: what Meta was told 200 for is on disk.
fn setting(name: &'static str, value: &str) -> Finding {
    match (name, value) {
        ("fsync" | "full_page_writes", "off") => Finding::bad(
            name,
            "off: a crash of the server loses acknowledged messages",
        ),
        ("synchronous_commit", "off") => Finding::bad(
            name,
            "off: a crash of the server loses acknowledged messages",
        ),
        ("synchronous_commit", "local") => {
            Finding::doubtful(name, "local: a failover may lose acknowledged messages")
        }
        ("journal_mode", mode) if mode != "wal" => Finding::bad(name, format!("{mode}, not wal")),
        _ => Finding::good(name, value),
    }
}

async fn migrations(db: &Db) -> Finding {
    const WHAT: &str = "migrations";
    match migrate::pending(db).await {
        Ok(0) => Finding::good(WHAT, "up to date"),
        Ok(pending) => Finding::bad(WHAT, format!("{pending} to run: `vestibule migrate`")),
        Err(error) => Finding::failed(WHAT, error),
    }
}

async fn clock(db: &Db) -> Result<Finding, StorageError> {
    let mut tx = db.read().await?;
    let before = SystemClock.now();
    let theirs = nodes::database_now(&mut tx).await?;
    Ok(skew(before, theirs, SystemClock.now()))
}

/// The database's clock lies between our two readings if both agree.
fn skew(before: Timestamp, theirs: Timestamp, after: Timestamp) -> Finding {
    const WHAT: &str = "clock";
    let skew = before.since(theirs).max(theirs.since(after));
    let detail = format!("{} ms from the database's", skew.as_millis());
    match skew {
        skew if skew >= SKEW_BAD => Finding::bad(WHAT, detail),
        skew if skew >= SKEW_DOUBTFUL => Finding::doubtful(WHAT, detail),
        _ => Finding::good(WHAT, detail),
    }
}

async fn envelopes(config: &Config, db: &Db) -> Finding {
    const WHAT: &str = "secrets";
    let keyring = match admin::load_keyring(config) {
        Ok(keyring) => Arc::new(keyring),
        Err(error) => return Finding::failed(WHAT, error),
    };
    // Secrets are opened, and nothing is changed.
    let ids = IdGenerator::new(0, Timestamp::ZERO);
    let setup = SetupContext::new(db.clone(), keyring, Arc::new(SystemClock), ids);
    match keys::verify(&setup).await {
        Ok(count) => Finding::good(WHAT, format!("{count}, all open with these keys")),
        Err(error) => Finding::failed(WHAT, error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Health;
    use super::*;

    #[test]
    fn settings_that_lose_acknowledged_messages_are_bad() {
        assert_eq!(setting("fsync", "off").health, Health::Bad);
        assert_eq!(setting("fsync", "on").health, Health::Good);
        assert_eq!(setting("synchronous_commit", "off").health, Health::Bad);
        assert_eq!(
            setting("synchronous_commit", "local").health,
            Health::Doubtful
        );
        assert_eq!(
            setting("synchronous_commit", "remote_write").health,
            Health::Good
        );
        assert_eq!(setting("journal_mode", "delete").health, Health::Bad);
    }

    #[test]
    fn the_time_that_the_question_took_is_no_skew() {
        let at = Timestamp::from_secs;
        assert_eq!(skew(at(100), at(105), at(110)).health, Health::Good);
        assert_eq!(skew(at(100), at(97), at(100)).health, Health::Doubtful);
        assert_eq!(skew(at(100), at(140), at(101)).health, Health::Bad);
    }
}
