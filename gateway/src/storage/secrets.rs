//! Tenants' secrets for plugins' requests, as envelopes.

use super::{Result, Tx, execute, on_backend, rows};
use crate::domain::{TenantId, Timestamp};

/// A secret as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    pub id: i64,
    /// Unique within the tenant.
    pub name: String,
    /// Envelope.
    pub value: Vec<u8>,
    /// JSON array of hosts; empty: any.
    pub hosts: String,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
}

type Row = (i64, String, Vec<u8>, String, i64, i64);

/// Adds a secret. `false`: the tenant has one of this name, and nothing changed.
pub async fn insert(tx: &mut Tx, tenant: TenantId, new: &StoredSecret) -> Result<bool> {
    const SQL: &str = "INSERT INTO secret (id, tenant, name, value, hosts, created_at, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, name) DO NOTHING";
    let added = execute!(
        tx,
        sqlx::query(SQL)
            .bind(new.id)
            .bind(tenant.raw())
            .bind(&new.name)
            .bind(&new.value)
            .bind(&new.hosts)
            .bind(new.created_at.millis())
            .bind(new.changed_at.millis())
    )?;
    Ok(added == 1)
}

/// Gives a secret another value and other hosts.
pub async fn replace(tx: &mut Tx, tenant: TenantId, changed: &StoredSecret) -> Result<bool> {
    const SQL: &str = "UPDATE secret SET value = $3, hosts = $4, changed_at = $5
        WHERE tenant = $1 AND id = $2";
    let changed = execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(changed.id)
            .bind(&changed.value)
            .bind(&changed.hosts)
            .bind(changed.changed_at.millis())
    )?;
    Ok(changed == 1)
}

/// The tenant's secret of this name.
pub async fn by_name(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<Option<StoredSecret>> {
    const SQL: &str = "SELECT id, name, value, hosts, created_at, changed_at FROM secret
        WHERE tenant = $1 AND name = $2";
    let row: Option<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(name)
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(read))
}

/// A tenant's secrets after an id, oldest first.
pub async fn page(
    tx: &mut Tx,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<StoredSecret>> {
    const SQL: &str = "SELECT id, name, value, hosts, created_at, changed_at FROM secret
        WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3";
    let rows: Vec<Row> = rows::page(tx, tenant, SQL, after, most).await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Lets go of a secret. `false`: there is none of this name.
pub async fn delete(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<bool> {
    const SQL: &str = "DELETE FROM secret WHERE tenant = $1 AND name = $2";
    let gone = execute!(tx, sqlx::query(SQL).bind(tenant.raw()).bind(name))?;
    Ok(gone == 1)
}

/// Lets go of all of a tenant's. Answers how many there were.
pub async fn delete_all(tx: &mut Tx, tenant: TenantId) -> Result<u64> {
    const SQL: &str = "DELETE FROM secret WHERE tenant = $1";
    Ok(execute!(tx, sqlx::query(SQL).bind(tenant.raw()))?)
}

fn read((id, name, value, hosts, created_at, changed_at): Row) -> StoredSecret {
    StoredSecret {
        id,
        name,
        value,
        hosts,
        created_at: Timestamp::from_millis(created_at),
        changed_at: Timestamp::from_millis(changed_at),
    }
}
