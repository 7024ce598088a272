//! Accounts whose templates are kept: when they were read whole, and when they are read again.

use sqlx::FromRow;

use super::{Result, Tx, batch, execute, fetch_list, on_backend, rows::moment};
use crate::domain::{Bucket, JobId, TenantId, Timestamp};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateAccount {
    pub tenant: TenantId,
    pub account: String,
    pub synced_at: Option<Timestamp>,
    pub due_at: Timestamp,
    /// The last sync that was queued.
    pub job: Option<JobId>,
}

#[derive(FromRow)]
struct Row {
    tenant: i64,
    account: String,
    synced_at: i64,
    due_at: i64,
    job: i64,
}

impl From<Row> for TemplateAccount {
    fn from(row: Row) -> Self {
        Self {
            tenant: TenantId::from_raw(row.tenant),
            account: row.account,
            synced_at: moment(row.synced_at),
            due_at: Timestamp::from_millis(row.due_at),
            job: (row.job != 0).then(|| JobId::from_raw(row.job)),
        }
    }
}

/// Keeps an account, due at once. One that is kept stays as it is.
pub async fn keep(
    tx: &mut Tx,
    tenant: TenantId,
    account: &str,
    bucket: Bucket,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str =
        "INSERT INTO template_account (tenant, account, bucket, synced_at, due_at, job, revision)
        VALUES ($1, $2, $3, 0, $4, 0, 0) ON CONFLICT (tenant, account) DO NOTHING";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(account)
            .bind(bucket.raw())
            .bind(now.millis())
    )?;
    Ok(())
}

pub async fn lock(tx: &mut Tx, tenant: TenantId, account: &str) -> Result<Option<TemplateAccount>> {
    let sql = tx.pick(
        "SELECT tenant, account, synced_at, due_at, job FROM template_account
            WHERE tenant = $1 AND account = $2",
        "SELECT tenant, account, synced_at, due_at, job FROM template_account
            WHERE tenant = $1 AND account = $2 FOR UPDATE",
    );
    let row: Option<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(tenant.raw())
            .bind(account)
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(TemplateAccount::from))
}

/// The tenant's accounts, in their order.
pub async fn all(tx: &mut Tx, tenant: TenantId) -> Result<Vec<TemplateAccount>> {
    const SQL: &str = "SELECT tenant, account, synced_at, due_at, job FROM template_account
        WHERE tenant = $1 ORDER BY account";
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL).bind(tenant.raw()).fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(TemplateAccount::from).collect())
}

/// Was the account ever read whole?
pub async fn is_synced(tx: &mut Tx, tenant: TenantId, account: &str) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM template_account
        WHERE tenant = $1 AND account = $2 AND synced_at <> 0";
    let found: i64 = on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(tenant.raw())
            .bind(account)
            .fetch_one(conn)
            .await
    })?;
    Ok(found > 0)
}

/// A sync was queued; the next one is due then.
pub async fn queued(
    tx: &mut Tx,
    tenant: TenantId,
    account: &str,
    job: JobId,
    due_at: Timestamp,
) -> Result<()> {
    const SQL: &str =
        "UPDATE template_account SET job = $3, due_at = $4 WHERE tenant = $1 AND account = $2";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(account)
            .bind(job.raw())
            .bind(due_at.millis())
    )?;
    Ok(())
}

/// Nobody can be asked: later, perhaps.
pub async fn put_off(
    tx: &mut Tx,
    tenant: TenantId,
    account: &str,
    due_at: Timestamp,
) -> Result<()> {
    const SQL: &str = "UPDATE template_account SET due_at = $3 WHERE tenant = $1 AND account = $2";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(account)
            .bind(due_at.millis())
    )?;
    Ok(())
}

/// A whole pass has ended: from now on what is not known is not there.
pub async fn synced(
    tx: &mut Tx,
    tenant: TenantId,
    account: &str,
    now: Timestamp,
    revision: i64,
) -> Result<()> {
    const SQL: &str = "UPDATE template_account SET synced_at = $3, revision = $4
        WHERE tenant = $1 AND account = $2";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(account)
            .bind(now.millis())
            .bind(revision)
    )?;
    Ok(())
}

/// Accounts of these buckets that are due, the longest overdue first.
pub async fn due_all_tenants(
    tx: &mut Tx,
    buckets: &[Bucket],
    now: Timestamp,
) -> Result<Vec<(TenantId, String)>> {
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let raw: Vec<i64> = buckets.iter().map(|bucket| bucket.raw()).collect();
    let buckets = batch::padded(&raw);
    let head = "SELECT tenant, account FROM template_account WHERE due_at <= $1 AND bucket IN";
    let sql = batch::any_of(head, 2, "ORDER BY due_at LIMIT 64");
    let rows: Vec<(i64, String)> = fetch_list!(tx, sql, [now.millis()], &buckets)?;
    let named = |(tenant, account)| (TenantId::from_raw(tenant), account);
    Ok(rows.into_iter().map(named).collect())
}

/// Accounts that were read whole, of those that changed after a revision.
pub async fn changed_all_tenants(tx: &mut Tx, after: i64) -> Result<Vec<(TenantId, String)>> {
    const SQL: &str = "SELECT tenant, account FROM template_account
        WHERE revision > $1 AND synced_at <> 0";
    let rows: Vec<(i64, String)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL).bind(after).fetch_all(conn).await
    })?;
    let named = |(tenant, account)| (TenantId::from_raw(tenant), account);
    Ok(rows.into_iter().map(named).collect())
}
