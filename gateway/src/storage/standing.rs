//! How much stands on what is about to be taken away, counted where it stands.

use sqlx::FromRow;

use super::{Result, Tx, on_backend};
use crate::domain::{AppId, CredentialId, NumberId, TenantId};

/// Numbers whose webhooks come by an app.
pub async fn numbers_of_app_all_tenants(tx: &mut Tx, app: AppId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM number WHERE app = $1";
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(app.raw())
        .fetch_one(conn)
        .await)?)
}

/// Numbers that send by an access token.
pub async fn numbers_of_credential(
    tx: &mut Tx,
    tenant: TenantId,
    credential: CredentialId,
) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM number WHERE tenant = $1 AND credential = $2";
    of(tx, tenant, SQL, credential.raw()).await
}

/// Plugins that a number has of its own.
pub async fn plugins_of_number(tx: &mut Tx, tenant: TenantId, number: NumberId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM installation WHERE tenant = $1 AND number = $2 AND state <> 'retired'";
    of(tx, tenant, SQL, number.raw()).await
}

/// `sql`: `$1` is the tenant, `$2` what it stands on.
async fn of(tx: &mut Tx, tenant: TenantId, sql: &'static str, id: i64) -> Result<i64> {
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(sql)
        .bind(tenant.raw())
        .bind(id)
        .fetch_one(conn)
        .await)?)
}

/// What a tenant has that does not go by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct OfTenant {
    pub numbers: i64,
    pub credentials: i64,
    pub plugins: i64,
    pub hooks: i64,
}

pub async fn of_tenant(tx: &mut Tx, tenant: TenantId) -> Result<OfTenant> {
    const SQL: &str = "SELECT (SELECT COUNT(*) FROM number WHERE tenant = $1) AS numbers,
            (SELECT COUNT(*) FROM credential WHERE tenant = $1) AS credentials,
            (SELECT COUNT(*) FROM installation WHERE tenant = $1 AND state <> 'retired') AS plugins,
            (SELECT COUNT(*) FROM hook WHERE tenant = $1) AS hooks";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(tenant.raw())
        .fetch_one(conn)
        .await)?)
}
