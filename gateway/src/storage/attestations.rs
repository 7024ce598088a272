//! What people vouch for on the go-live checklist.

use super::{Result, Tx, execute, on_backend};
use crate::domain::{TenantId, Timestamp};

/// Somebody's word for one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    pub item: String,
    pub by: String,
    pub note: String,
    pub at: Timestamp,
}

/// Keeps somebody's word; it replaces the one before.
pub async fn put(tx: &mut Tx, tenant: TenantId, word: &Attestation) -> Result<()> {
    const SQL: &str =
        "INSERT INTO attestation (tenant, item, by_name, note, at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant, item) DO UPDATE SET by_name = excluded.by_name, note = excluded.note, at = excluded.at";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(&word.item)
            .bind(&word.by)
            .bind(&word.note)
            .bind(word.at.millis())
    )?;
    Ok(())
}

/// Takes it back. `false`: there was none.
pub async fn remove(tx: &mut Tx, tenant: TenantId, item: &str) -> Result<bool> {
    const SQL: &str = "DELETE FROM attestation WHERE tenant = $1 AND item = $2";
    Ok(execute!(tx, sqlx::query(SQL).bind(tenant.raw()).bind(item))? == 1)
}

/// All of a tenant's.
pub async fn of_tenant(tx: &mut Tx, tenant: TenantId) -> Result<Vec<Attestation>> {
    const SQL: &str =
        "SELECT item, by_name, note, at FROM attestation WHERE tenant = $1 ORDER BY item";
    let rows: Vec<(String, String, String, i64)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL).bind(tenant.raw()).fetch_all(conn).await
    })?;
    let read = |(item, by, note, at)| Attestation {
        item,
        by,
        note,
        at: Timestamp::from_millis(at),
    };
    Ok(rows.into_iter().map(read).collect())
}
