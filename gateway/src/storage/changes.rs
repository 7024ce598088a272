//! Change counters: how a node learns that what it has read into memory is out of date.
//!
//! Every change of setup (apps, numbers, credentials, holds, installations) bumps the counter in its own transaction,
//! so a node that has seen the new version sees the change too.

use super::{Result, Tx, execute, on_backend};

/// The counter of everything that an operator or tenant sets up.
const SETUP: &str = "setup";

/// Says that setup changed. On PostgreSQL changes of setup wait for each other here, which they may: they are rare.
pub async fn bump_setup_all_tenants(tx: &mut Tx) -> Result<()> {
    let sql = "UPDATE change_counter SET version = version + 1 WHERE name = $1";
    execute!(tx, sqlx::query(sql).bind(SETUP))?;
    Ok(())
}

/// The version of setup. Read it before reading setup itself: what changes in between is then read again.
pub async fn setup_version_all_tenants(tx: &mut Tx) -> Result<i64> {
    let sql = "SELECT version FROM change_counter WHERE name = $1";
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(sql)
        .bind(SETUP)
        .fetch_one(conn)
        .await)?)
}
