//! Access tokens for Graph, as envelopes. Many numbers may use one.

use super::{Result, Tx, changes, execute, on_backend, rows};
use crate::domain::{CredentialId, TenantId, Timestamp};

/// A credential as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub id: CredentialId,
    pub tenant: TenantId,
    /// What people call it; unique within the tenant.
    pub name: String,
    /// Envelope.
    pub token: Vec<u8>,
    pub created_at: Timestamp,
}

type Row = (i64, i64, String, Vec<u8>, i64);

/// Adds a credential. `false`: the tenant has one of this name, and nothing changed.
pub async fn insert_credential(
    tx: &mut Tx,
    tenant: TenantId,
    credential: CredentialId,
    name: &str,
    token: &[u8],
    now: Timestamp,
) -> Result<bool> {
    const SQL: &str = "INSERT INTO credential (id, tenant, name, token, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, name) DO NOTHING";
    let added = execute!(
        tx,
        sqlx::query(SQL)
            .bind(credential.raw())
            .bind(tenant.raw())
            .bind(name)
            .bind(token)
            .bind(now.millis())
    )?;
    changes::bump_setup_all_tenants(tx).await?;
    Ok(added == 1)
}

/// Replaces a credential's token; its numbers use the new one from their next send on.
pub async fn replace_token(
    tx: &mut Tx,
    tenant: TenantId,
    credential: CredentialId,
    token: &[u8],
) -> Result<bool> {
    const SQL: &str = "UPDATE credential SET token = $3 WHERE tenant = $1 AND id = $2";
    let changed = execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(credential.raw())
            .bind(token)
    )?;
    changes::bump_setup_all_tenants(tx).await?;
    Ok(changed == 1)
}

/// The tenant's credential of this name.
pub async fn credential_by_name(
    tx: &mut Tx,
    tenant: TenantId,
    name: &str,
) -> Result<Option<Credential>> {
    const SQL: &str = "SELECT id, tenant, name, token, created_at FROM credential WHERE tenant = $1 AND name = $2";
    let row: Option<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(name)
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(read))
}

/// A tenant's credential.
pub async fn credential(
    tx: &mut Tx,
    tenant: TenantId,
    id: CredentialId,
) -> Result<Option<Credential>> {
    const SQL: &str =
        "SELECT id, tenant, name, token, created_at FROM credential WHERE tenant = $1 AND id = $2";
    let row: Option<Row> = rows::one(tx, tenant, SQL, id.raw()).await?;
    Ok(row.map(read))
}

/// A tenant's credentials after an id, oldest first.
pub async fn credentials_of(
    tx: &mut Tx,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<Credential>> {
    const SQL: &str = "SELECT id, tenant, name, token, created_at FROM credential
        WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3";
    let rows: Vec<Row> = rows::page(tx, tenant, SQL, after, most).await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Every credential, oldest first.
pub async fn credentials_all_tenants(tx: &mut Tx) -> Result<Vec<Credential>> {
    const SQL: &str = "SELECT id, tenant, name, token, created_at FROM credential ORDER BY id";
    let rows: Vec<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(read).collect())
}

fn read((id, tenant, name, token, created_at): Row) -> Credential {
    Credential {
        id: CredentialId::from_raw(id),
        tenant: TenantId::from_raw(tenant),
        name,
        token,
        created_at: Timestamp::from_millis(created_at),
    }
}

/// Lets go of a credential.
pub async fn delete_credential(tx: &mut Tx, tenant: TenantId, id: CredentialId) -> Result<()> {
    const SQL: &str = "DELETE FROM credential WHERE tenant = $1 AND id = $2";
    execute!(tx, sqlx::query(SQL).bind(tenant.raw()).bind(id.raw()))?;
    changes::bump_setup_all_tenants(tx).await
}
