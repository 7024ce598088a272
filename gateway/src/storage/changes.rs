//! Change counters: how a node learns that what it has read into memory is out of date.
//!
//! Every change of setup (apps, numbers, credentials, holds, installations) bumps the counter in its own transaction,
//! so a node that has seen the new version sees the change too.

use super::{Result, Tx, execute, on_backend};

/// The counter of everything that an operator or tenant sets up.
const SETUP: &str = "setup";
/// The counter of templates: moved by every change that matters for sending, and written into the rows that changed.
const TEMPLATES: &str = "templates";

/// Says that setup changed. On PostgreSQL changes of setup wait for each other here, which they may: they are rare.
pub async fn bump_setup_all_tenants(tx: &mut Tx) -> Result<()> {
    let sql = "UPDATE change_counter SET version = version + 1 WHERE name = $1";
    execute!(tx, sqlx::query(sql).bind(SETUP))?;
    Ok(())
}

/// The version of setup. Read it before reading setup itself: what changes in between is then read again.
pub async fn setup_version_all_tenants(tx: &mut Tx) -> Result<i64> {
    version(tx, SETUP).await
}

/// Moves the counter of templates and answers where it stands. On PostgreSQL nobody else moves it until this transaction
/// ends, so revisions become visible in their order: whoever has read up to one has missed none before it. Rows are
/// locked before this is asked, never after.
pub async fn bump_templates_all_tenants(tx: &mut Tx) -> Result<i64> {
    let sql = "UPDATE change_counter SET version = version + 1 WHERE name = $1 RETURNING version";
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(sql)
        .bind(TEMPLATES)
        .fetch_one(conn)
        .await)?)
}

/// The revision of the latest change of a template.
pub async fn templates_version_all_tenants(tx: &mut Tx) -> Result<i64> {
    version(tx, TEMPLATES).await
}

async fn version(tx: &mut Tx, name: &str) -> Result<i64> {
    let sql = "SELECT version FROM change_counter WHERE name = $1";
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(sql)
        .bind(name)
        .fetch_one(conn)
        .await)?)
}
