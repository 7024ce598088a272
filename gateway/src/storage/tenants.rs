//! Tenants: businesses on this deployment.

use super::{Result, Tx, changes, execute, on_backend};
use crate::domain::{TenantId, Timestamp};

/// A tenant as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    pub id: TenantId,
    /// What people call it on the command line; unique.
    pub name: String,
    /// JSON object: fallback text, extra words, served queues.
    pub settings: String,
    pub created_at: Timestamp,
}

type Row = (i64, String, String, i64);

/// Adds a tenant. `false`: its name is taken, and nothing changed.
pub async fn insert_tenant(
    tx: &mut Tx,
    tenant: TenantId,
    name: &str,
    settings: &str,
    now: Timestamp,
) -> Result<bool> {
    const SQL: &str = "INSERT INTO tenant (id, name, settings, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (name) DO NOTHING";
    let added = execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(name)
            .bind(settings)
            .bind(now.millis())
    )?;
    changes::bump_setup_all_tenants(tx).await?;
    Ok(added == 1)
}

/// Replaces a tenant's settings. `false`: there is no such tenant.
pub async fn set_settings(tx: &mut Tx, tenant: TenantId, settings: &str) -> Result<bool> {
    const SQL: &str = "UPDATE tenant SET settings = $2 WHERE id = $1";
    let changed = execute!(tx, sqlx::query(SQL).bind(tenant.raw()).bind(settings))?;
    changes::bump_setup_all_tenants(tx).await?;
    Ok(changed == 1)
}

/// Is the tenant there? It stays until this transaction ends: whoever wants to remove it waits, and then finds what
/// this transaction adds.
pub async fn keep(tx: &mut Tx, tenant: TenantId) -> Result<bool> {
    held(tx, tenant, "FOR SHARE").await
}

/// Is the tenant there? Whoever wants to [`keep`] it waits until this transaction ends, and then finds none.
pub async fn keep_free(tx: &mut Tx, tenant: TenantId) -> Result<bool> {
    held(tx, tenant, "FOR UPDATE").await
}

async fn held(tx: &mut Tx, tenant: TenantId, lock: &'static str) -> Result<bool> {
    // SQLite has one writer: whoever is in its transaction is alone.
    let lock = tx.pick("", lock);
    let sql = sqlx::AssertSqlSafe(format!("SELECT id FROM tenant WHERE id = $1 {lock}"));
    let id: Option<i64> = on_backend!(tx, |conn| sqlx::query_scalar(sql)
        .bind(tenant.raw())
        .fetch_optional(conn)
        .await)?;
    Ok(id.is_some())
}

/// Lets go of a tenant's own row.
pub async fn delete_tenant(tx: &mut Tx, tenant: TenantId) -> Result<()> {
    const SQL: &str = "DELETE FROM tenant WHERE id = $1";
    execute!(tx, sqlx::query(SQL).bind(tenant.raw()))?;
    changes::bump_setup_all_tenants(tx).await
}

/// Every tenant, oldest first.
pub async fn tenants_all_tenants(tx: &mut Tx) -> Result<Vec<Tenant>> {
    const SQL: &str = "SELECT id, name, settings, created_at FROM tenant ORDER BY id";
    let rows: Vec<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(read).collect())
}

/// The tenant of this name.
pub async fn tenant_by_name_all_tenants(tx: &mut Tx, name: &str) -> Result<Option<Tenant>> {
    const SQL: &str = "SELECT id, name, settings, created_at FROM tenant WHERE name = $1";
    let row: Option<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(name)
        .fetch_optional(conn)
        .await)?;
    Ok(row.map(read))
}

/// A tenant.
pub async fn tenant(tx: &mut Tx, tenant: TenantId) -> Result<Option<Tenant>> {
    const SQL: &str = "SELECT id, name, settings, created_at FROM tenant WHERE id = $1";
    let row: Option<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(tenant.raw())
        .fetch_optional(conn)
        .await)?;
    Ok(row.map(read))
}

/// Tenants after an id, oldest first.
pub async fn tenants_after_all_tenants(tx: &mut Tx, after: i64, most: i64) -> Result<Vec<Tenant>> {
    const SQL: &str =
        "SELECT id, name, settings, created_at FROM tenant WHERE id > $1 ORDER BY id LIMIT $2";
    let rows: Vec<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(after)
        .bind(most)
        .fetch_all(conn)
        .await)?;
    Ok(rows.into_iter().map(read).collect())
}

fn read((id, name, settings, created_at): Row) -> Tenant {
    Tenant {
        id: TenantId::from_raw(id),
        name,
        settings,
        created_at: Timestamp::from_millis(created_at),
    }
}
