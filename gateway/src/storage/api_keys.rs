//! API keys: who may ask, and as what. Only keyed hashes are stored; the text of a key is shown once and kept nowhere.

use sqlx::FromRow;

use super::{Result, Tx, execute, on_backend, rows, rows::moment};
use crate::domain::{ApiKeyId, TenantId, Timestamp, UserId};

/// A key as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    /// Tenant 0: the operator's.
    pub tenant: TenantId,
    pub name: String,
    /// `""` for a narrow token.
    pub role: String,
    /// JSON array.
    pub scopes: String,
    pub user: Option<UserId>,
    pub hash: Vec<u8>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub replaced_by: Option<ApiKeyId>,
    /// Written at most every few minutes.
    pub last_used_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    tenant: i64,
    name: String,
    role: String,
    scopes: String,
    user_id: i64,
    hash: Vec<u8>,
    created_by: String,
    created_at: i64,
    expires_at: i64,
    revoked_at: i64,
    replaced_by: i64,
    last_used_at: i64,
}

#[derive(FromRow)]
struct PresentedRow {
    #[sqlx(flatten)]
    key: Row,
    works: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant, name, role, scopes, user_id, hash, created_by, created_at, expires_at, revoked_at,
                replaced_by, last_used_at FROM api_key ",
            $rest
        )
    };
}

pub async fn insert_key(tx: &mut Tx, tenant: TenantId, key: &ApiKey) -> Result<()> {
    const SQL: &str = "INSERT INTO api_key (id, tenant, name, role, scopes, user_id, hash, created_by, created_at,
            expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(key.id.raw())
            .bind(tenant.raw())
            .bind(&key.name)
            .bind(&key.role)
            .bind(&key.scopes)
            .bind(key.user.map_or(0, UserId::raw))
            .bind(&key.hash)
            .bind(&key.created_by)
            .bind(key.created_at.millis())
            .bind(key.expires_at.map_or(0, Timestamp::millis))
    )?;
    Ok(())
}

/// The key that a request says it has, whoever's it is, and whether the person it belongs to may still work.
pub async fn presented_key_all_tenants(
    tx: &mut Tx,
    id: ApiKeyId,
) -> Result<Option<(ApiKey, bool)>> {
    // A key of nobody in particular has no person who could stop.
    const SQL: &str = "SELECT k.id, k.tenant, k.name, k.role, k.scopes, k.user_id, k.hash, k.created_by, k.created_at,
            k.expires_at, k.revoked_at, k.replaced_by, k.last_used_at,
            CASE WHEN k.user_id = 0 THEN 1 ELSE COALESCE(u.active, 0) END AS works
        FROM api_key k LEFT JOIN api_user u ON u.id = k.user_id AND u.tenant = k.tenant WHERE k.id = $1";
    let row: Option<PresentedRow> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(id.raw())
        .fetch_optional(conn)
        .await)?;
    Ok(row.map(|row| (row.key.into(), row.works == 1)))
}

pub async fn key(tx: &mut Tx, tenant: TenantId, id: ApiKeyId) -> Result<Option<ApiKey>> {
    let sql = select!("WHERE tenant = $1 AND id = $2");
    let row: Option<Row> = rows::one(tx, tenant, sql, id.raw()).await?;
    Ok(row.map(ApiKey::from))
}

/// The same, locked until the transaction ends: whoever changes a key reads it so.
pub async fn key_for_update(tx: &mut Tx, tenant: TenantId, id: ApiKeyId) -> Result<Option<ApiKey>> {
    let sql = tx.pick(
        select!("WHERE tenant = $1 AND id = $2"),
        select!("WHERE tenant = $1 AND id = $2 FOR UPDATE"),
    );
    let row: Option<Row> = rows::one(tx, tenant, sql, id.raw()).await?;
    Ok(row.map(ApiKey::from))
}

/// Keys after an id, oldest first.
pub async fn keys(tx: &mut Tx, tenant: TenantId, after: i64, most: i64) -> Result<Vec<ApiKey>> {
    let sql = select!("WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3");
    let rows: Vec<Row> = rows::page(tx, tenant, sql, after, most).await?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// Ends a key at a moment; `replaced_by` says that a rotation did it.
pub async fn end_key(
    tx: &mut Tx,
    tenant: TenantId,
    id: ApiKeyId,
    expires_at: Timestamp,
    replaced_by: ApiKeyId,
) -> Result<()> {
    const SQL: &str =
        "UPDATE api_key SET expires_at = $3, replaced_by = $4 WHERE tenant = $1 AND id = $2";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(id.raw())
            .bind(expires_at.millis())
            .bind(replaced_by.raw())
    )?;
    Ok(())
}

pub async fn revoke_key(tx: &mut Tx, tenant: TenantId, id: ApiKeyId, now: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE api_key SET revoked_at = $3 WHERE tenant = $1 AND id = $2";
    stamp(tx, tenant, SQL, id, now).await
}

/// Ends every key of a tenant at once.
pub async fn revoke_keys(tx: &mut Tx, tenant: TenantId, now: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE api_key SET revoked_at = $2 WHERE tenant = $1 AND revoked_at = 0";
    execute!(tx, sqlx::query(SQL).bind(tenant.raw()).bind(now.millis()))?;
    Ok(())
}

pub async fn key_was_used(
    tx: &mut Tx,
    tenant: TenantId,
    id: ApiKeyId,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str =
        "UPDATE api_key SET last_used_at = $3 WHERE tenant = $1 AND id = $2 AND last_used_at < $3";
    stamp(tx, tenant, SQL, id, now).await
}

async fn stamp(
    tx: &mut Tx,
    tenant: TenantId,
    sql: &'static str,
    id: ApiKeyId,
    at: Timestamp,
) -> Result<()> {
    execute!(
        tx,
        sqlx::query(sql)
            .bind(tenant.raw())
            .bind(id.raw())
            .bind(at.millis())
    )?;
    Ok(())
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        Self {
            id: ApiKeyId::from_raw(row.id),
            tenant: TenantId::from_raw(row.tenant),
            name: row.name,
            role: row.role,
            scopes: row.scopes,
            user: (row.user_id != 0).then(|| UserId::from_raw(row.user_id)),
            hash: row.hash,
            created_by: row.created_by,
            created_at: Timestamp::from_millis(row.created_at),
            expires_at: moment(row.expires_at),
            revoked_at: moment(row.revoked_at),
            replaced_by: (row.replaced_by != 0).then(|| ApiKeyId::from_raw(row.replaced_by)),
            last_used_at: moment(row.last_used_at),
        }
    }
}
