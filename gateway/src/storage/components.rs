//! Uploaded components and what was compiled from them.

use super::{Result, Tx, execute, on_backend};
use crate::domain::{TenantId, Timestamp};

/// Keeps an upload. The same bytes again change nothing.
pub async fn insert_component(
    tx: &mut Tx,
    tenant: TenantId,
    digest: &str,
    wasm: &[u8],
    manifest: &str,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO component (tenant, digest, wasm, manifest, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, digest) DO NOTHING";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(digest)
            .bind(wasm)
            .bind(manifest)
            .bind(now.millis())
    )?;
    Ok(())
}

/// An upload and its manifest.
pub async fn component(
    tx: &mut Tx,
    tenant: TenantId,
    digest: &str,
) -> Result<Option<(Vec<u8>, String)>> {
    const SQL: &str = "SELECT wasm, manifest FROM component WHERE tenant = $1 AND digest = $2";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(digest)
            .fetch_optional(conn)
            .await
    })?)
}

/// Keeps sealed machine code for one engine. A later one replaces it: both were compiled from the same bytes.
pub async fn put_artifact(
    tx: &mut Tx,
    tenant: TenantId,
    digest: &str,
    engine: &str,
    sealed: &[u8],
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO artifact (tenant, digest, engine, sealed, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, digest, engine) DO UPDATE SET sealed = $4, created_at = $5";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(digest)
            .bind(engine)
            .bind(sealed)
            .bind(now.millis())
    )?;
    Ok(())
}

/// Sealed machine code of a component for this engine.
pub async fn artifact(
    tx: &mut Tx,
    tenant: TenantId,
    digest: &str,
    engine: &str,
) -> Result<Option<Vec<u8>>> {
    const SQL: &str =
        "SELECT sealed FROM artifact WHERE tenant = $1 AND digest = $2 AND engine = $3";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(tenant.raw())
            .bind(digest)
            .bind(engine)
            .fetch_optional(conn)
            .await
    })?)
}

/// The manifest of a kept upload, JSON.
pub async fn manifest(tx: &mut Tx, tenant: TenantId, digest: &str) -> Result<Option<String>> {
    const SQL: &str = "SELECT manifest FROM component WHERE tenant = $1 AND digest = $2";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(tenant.raw())
            .bind(digest)
            .fetch_optional(conn)
            .await
    })?)
}
