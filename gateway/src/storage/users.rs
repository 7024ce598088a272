//! People who work with the gateway, of the operator (tenant 0) or of a tenant.

use sqlx::FromRow;

use super::{Result, Tx, execute, rows};
use crate::domain::{TenantId, Timestamp, UserId};

/// A person as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub tenant: TenantId,
    pub name: String,
    /// `""`: unknown.
    pub email: String,
    pub role: String,
    /// Keys of a person who is not active are refused.
    pub active: bool,
    pub created_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    tenant: i64,
    name: String,
    email: String,
    role: String,
    active: i64,
    created_at: i64,
}

pub async fn insert_user(tx: &mut Tx, tenant: TenantId, user: &User) -> Result<()> {
    const SQL: &str = "INSERT INTO api_user (id, tenant, name, email, role, active, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(user.id.raw())
            .bind(tenant.raw())
            .bind(&user.name)
            .bind(&user.email)
            .bind(&user.role)
            .bind(i64::from(user.active))
            .bind(user.created_at.millis())
    )?;
    Ok(())
}

pub async fn update_user(tx: &mut Tx, tenant: TenantId, user: &User) -> Result<()> {
    const SQL: &str = "UPDATE api_user SET name = $3, email = $4, role = $5, active = $6
        WHERE tenant = $1 AND id = $2";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(user.id.raw())
            .bind(&user.name)
            .bind(&user.email)
            .bind(&user.role)
            .bind(i64::from(user.active))
    )?;
    Ok(())
}

/// The person, and whoever wants to change them waits until this transaction ends.
pub async fn user_for_update(tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<Option<User>> {
    let sql = tx.pick(
        "SELECT id, tenant, name, email, role, active, created_at FROM api_user WHERE tenant = $1 AND id = $2",
        "SELECT id, tenant, name, email, role, active, created_at FROM api_user WHERE tenant = $1 AND id = $2
            FOR UPDATE",
    );
    let row: Option<Row> = rows::one(tx, tenant, sql, id.raw()).await?;
    Ok(row.map(User::from))
}

pub async fn user(tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<Option<User>> {
    const SQL: &str = "SELECT id, tenant, name, email, role, active, created_at FROM api_user WHERE tenant = $1 AND id = $2";
    let row: Option<Row> = rows::one(tx, tenant, SQL, id.raw()).await?;
    Ok(row.map(User::from))
}

/// People after an id, oldest first.
pub async fn users(tx: &mut Tx, tenant: TenantId, after: i64, most: i64) -> Result<Vec<User>> {
    const SQL: &str = "SELECT id, tenant, name, email, role, active, created_at FROM api_user
        WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3";
    let rows: Vec<Row> = rows::page(tx, tenant, SQL, after, most).await?;
    Ok(rows.into_iter().map(User::from).collect())
}

impl From<Row> for User {
    fn from(row: Row) -> Self {
        Self {
            id: UserId::from_raw(row.id),
            tenant: TenantId::from_raw(row.tenant),
            name: row.name,
            email: row.email,
            role: row.role,
            active: row.active == 1,
            created_at: Timestamp::from_millis(row.created_at),
        }
    }
}
