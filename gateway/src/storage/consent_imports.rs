//! What jobs about consent were given and have not read yet: lists in pieces of whole lines, and whom an erasure is about.

use super::batch::{groups, rows};
use super::{Result, Tx, execute, execute_rows, on_backend};
use crate::domain::TenantId;

/// Keeps pieces, numbered from `first` on.
pub async fn add_pieces(
    tx: &mut Tx,
    tenant: TenantId,
    (id, first): (i64, i64),
    pieces: &[String],
) -> Result<()> {
    const HEAD: &str = "INSERT INTO consent_import (id, piece, tenant, lines) VALUES";
    let numbered: Vec<(i64, &String)> = (first..).zip(pieces).collect();
    for run in groups(tx, &numbered) {
        let sql = rows(HEAD, 4, "");
        execute_rows!(tx, sql, run, |query, row| {
            query.bind(id).bind(row.0).bind(tenant.raw()).bind(row.1)
        })?;
    }
    Ok(())
}

/// Up to so many pieces from `first` on, in order.
pub async fn pieces(
    tx: &mut Tx,
    tenant: TenantId,
    (id, first): (i64, i64),
    most: i64,
) -> Result<Vec<String>> {
    const SQL: &str = "SELECT lines FROM consent_import
        WHERE id = $1 AND piece >= $2 AND piece < $3 AND tenant = $4 ORDER BY piece";
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(id)
        .bind(first)
        .bind(first + most)
        .bind(tenant.raw())
        .fetch_all(conn)
        .await)?)
}

/// Lets go of so many pieces from `first` on, which were read.
pub async fn drop_pieces(
    tx: &mut Tx,
    tenant: TenantId,
    (id, first): (i64, i64),
    many: i64,
) -> Result<()> {
    const SQL: &str = "DELETE FROM consent_import
        WHERE id = $1 AND piece >= $2 AND piece < $3 AND tenant = $4";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(id)
            .bind(first)
            .bind(first + many)
            .bind(tenant.raw())
    )?;
    Ok(())
}

/// How many pieces there are.
pub async fn count(tx: &mut Tx, tenant: TenantId, id: i64) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM consent_import WHERE id = $1 AND tenant = $2";
    let (count,): (i64,) = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(id)
        .bind(tenant.raw())
        .fetch_one(conn)
        .await)?;
    Ok(count)
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
