//! Opt-in pages: every version as it was shown.

use sqlx::FromRow;

use super::{Result, Tx, execute, on_backend, rows};
use crate::domain::TenantId;

/// One version of a page.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct PageRow {
    pub name: String,
    /// From 1 on.
    pub seq: i64,
    pub scope: String,
    /// Whom the person writes to.
    pub number: i64,
    pub title: String,
    pub wording: Vec<u8>,
    /// 0: it is not shown.
    pub enabled: i64,
    pub created_at: i64,
}

const COLUMNS: &str =
    "SELECT name, seq, scope, number, title, wording, enabled, created_at FROM consent_page p";

/// The latest version of every page.
pub async fn pages(tx: &mut Tx, tenant: TenantId) -> Result<Vec<PageRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE tenant = $1 AND seq = (SELECT MAX(seq) FROM consent_page q
            WHERE q.tenant = p.tenant AND q.name = p.name) ORDER BY name"
    ));
    Ok(on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(tenant.raw())
        .fetch_all(conn)
        .await)?)
}

/// The latest version of one page.
pub async fn latest(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<Option<PageRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE tenant = $1 AND name = $2 ORDER BY seq DESC LIMIT 1"
    ));
    Ok(on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(tenant.raw())
        .bind(name)
        .fetch_optional(conn)
        .await)?)
}

/// Adds a version. `false`: somebody else has just added it.
pub async fn add(tx: &mut Tx, tenant: TenantId, page: &PageRow) -> Result<bool> {
    const SQL: &str = "INSERT INTO consent_page (tenant, name, seq, scope, number, title, wording, enabled, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING";
    let added = execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(&page.name)
            .bind(page.seq)
            .bind(&page.scope)
            .bind(page.number)
            .bind(&page.title)
            .bind(&page.wording)
            .bind(page.enabled)
            .bind(page.created_at)
    )?;
    Ok(added == 1)
}

/// How many codes of pages wait for whoever sends them.
pub async fn codes_waiting(tx: &mut Tx, tenant: TenantId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM consent_pending WHERE tenant = $1 AND contact = $2";
    let found: Option<(i64,)> = rows::one(tx, tenant, SQL, 0).await?;
    Ok(found.map_or(0, |(count,)| count))
}
