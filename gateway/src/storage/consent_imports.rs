//! What jobs about consent were given and have not read yet: lists in pieces of whole lines, and whom an erasure is about.

use super::{Result, Tx, execute, on_backend};
use crate::domain::TenantId;

/// Keeps a piece.
pub async fn add_piece(
    tx: &mut Tx,
    tenant: TenantId,
    (id, piece): (i64, i64),
    lines: &str,
) -> Result<()> {
    const SQL: &str =
        "INSERT INTO consent_import (id, piece, tenant, lines) VALUES ($1, $2, $3, $4)";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(id)
            .bind(piece)
            .bind(tenant.raw())
            .bind(lines)
    )?;
    Ok(())
}

pub async fn piece(
    tx: &mut Tx,
    tenant: TenantId,
    (id, piece): (i64, i64),
) -> Result<Option<String>> {
    const SQL: &str =
        "SELECT lines FROM consent_import WHERE id = $1 AND piece = $2 AND tenant = $3";
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(id)
        .bind(piece)
        .bind(tenant.raw())
        .fetch_optional(conn)
        .await)?)
}

/// Lets go of a piece that was read.
pub async fn drop_piece(tx: &mut Tx, tenant: TenantId, (id, piece): (i64, i64)) -> Result<()> {
    const SQL: &str = "DELETE FROM consent_import WHERE id = $1 AND piece = $2 AND tenant = $3";
    execute!(tx, sqlx::query(SQL).bind(id).bind(piece).bind(tenant.raw()))?;
    Ok(())
}

/// Lets go of all pieces.
pub async fn drop(tx: &mut Tx, tenant: TenantId, id: i64) -> Result<()> {
    const SQL: &str = "DELETE FROM consent_import WHERE id = $1 AND tenant = $2";
    execute!(tx, sqlx::query(SQL).bind(id).bind(tenant.raw()))?;
    Ok(())
}

/// Lets go of what was begun before this id and never became a job, or whose job nobody resumed.
pub async fn drop_old(tx: &mut Tx, tenant: TenantId, before: i64) -> Result<()> {
    const SQL: &str = "DELETE FROM consent_import WHERE tenant = $1 AND id < $2";
    execute!(tx, sqlx::query(SQL).bind(tenant.raw()).bind(before))?;
    Ok(())
}
