//! Which uploads are believed: keys that sign them, and digests that are stopped. Both are the operator's.

use std::collections::HashSet;

use super::{Result, Tx, execute, on_backend};
use crate::domain::Timestamp;

/// A key whose signatures are believed, or were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    pub name: String,
    /// Ed25519, 32 bytes.
    pub public_key: Vec<u8>,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// An upload that runs nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    pub digest: String,
    pub reason: String,
    pub stopped_by: String,
    pub stopped_at: Timestamp,
}

/// `false`: the name is taken.
pub async fn add_key_all_tenants(tx: &mut Tx, key: &SigningKey) -> Result<bool> {
    const SQL: &str =
        "INSERT INTO plugin_signing_key (name, public_key, created_at) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO NOTHING";
    let added = execute!(
        tx,
        sqlx::query(SQL)
            .bind(&key.name)
            .bind(&key.public_key)
            .bind(key.created_at.millis())
    )?;
    Ok(added == 1)
}

/// Every key, those that are revoked too.
pub async fn keys_all_tenants(tx: &mut Tx) -> Result<Vec<SigningKey>> {
    const SQL: &str =
        "SELECT name, public_key, created_at, revoked_at FROM plugin_signing_key ORDER BY name";
    let rows: Vec<(String, Vec<u8>, i64, i64)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await)?;
    let read = |(name, public_key, created_at, revoked_at)| SigningKey {
        name,
        public_key,
        created_at: Timestamp::from_millis(created_at),
        revoked_at: super::rows::moment(revoked_at),
    };
    Ok(rows.into_iter().map(read).collect())
}

/// `false`: there is no such key, or it is revoked already.
pub async fn revoke_key_all_tenants(tx: &mut Tx, name: &str, now: Timestamp) -> Result<bool> {
    const SQL: &str =
        "UPDATE plugin_signing_key SET revoked_at = $2 WHERE name = $1 AND revoked_at = 0";
    let revoked = execute!(tx, sqlx::query(SQL).bind(name).bind(now.millis()))?;
    Ok(revoked == 1)
}

/// `false`: it was stopped already.
pub async fn stop_all_tenants(tx: &mut Tx, stop: &Stop) -> Result<bool> {
    const SQL: &str =
        "INSERT INTO plugin_stop (digest, reason, stopped_by, stopped_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (digest) DO NOTHING";
    let stopped = execute!(
        tx,
        sqlx::query(SQL)
            .bind(&stop.digest)
            .bind(&stop.reason)
            .bind(&stop.stopped_by)
            .bind(stop.stopped_at.millis())
    )?;
    Ok(stopped == 1)
}

/// `false`: it was not stopped.
pub async fn allow_all_tenants(tx: &mut Tx, digest: &str) -> Result<bool> {
    let sql = "DELETE FROM plugin_stop WHERE digest = $1";
    Ok(execute!(tx, sqlx::query(sql).bind(digest))? == 1)
}

/// Every digest that is stopped.
pub async fn stopped_all_tenants(tx: &mut Tx) -> Result<HashSet<String>> {
    let sql = "SELECT digest FROM plugin_stop";
    let rows: Vec<(String,)> = on_backend!(tx, |conn| sqlx::query_as(sql).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|(digest,)| digest).collect())
}

/// The stop of a digest, if it is stopped.
pub async fn stop_of_all_tenants(tx: &mut Tx, digest: &str) -> Result<Option<Stop>> {
    const SQL: &str =
        "SELECT digest, reason, stopped_by, stopped_at FROM plugin_stop WHERE digest = $1";
    let row: Option<(String, String, String, i64)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL).bind(digest).fetch_optional(conn).await
    })?;
    Ok(row.map(|(digest, reason, stopped_by, stopped_at)| Stop {
        digest,
        reason,
        stopped_by,
        stopped_at: Timestamp::from_millis(stopped_at),
    }))
}
