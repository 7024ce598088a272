//! Reports of replays: results of jobs that hold what people and plugins said, and so go when the journal goes.

use super::{Result, Tx, execute, fetch_list, on_backend};
use crate::domain::{JobId, TenantId, TurnId};

/// The kind of those jobs.
pub const KIND: &str = "installations.replay";
/// Reports of one step: each is some hundred kilobytes at most times.
const STEP: i64 = 8;

/// A tenant's next replays after a job, with the reports of those that have one; each locked until the transaction ends, so
/// that one which is just coming to its end is waited for.
pub async fn next_for_update(
    tx: &mut Tx,
    tenant: TenantId,
    after: i64,
) -> Result<Vec<(JobId, String)>> {
    let sql = tx.pick(
        "SELECT id, result FROM job WHERE tenant = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT $4",
        "SELECT id, result FROM job WHERE tenant = $1 AND kind = $2 AND id > $3 ORDER BY id LIMIT $4 FOR UPDATE",
    );
    page(tx, sql, tenant, after).await
}

/// The same to look at.
pub async fn next(tx: &mut Tx, tenant: TenantId, after: i64) -> Result<Vec<(JobId, String)>> {
    const SQL: &str = "SELECT id, result FROM job
        WHERE tenant = $1 AND kind = $2 AND id > $3 AND result LIKE '%\"said\":%' ORDER BY id LIMIT $4";
    page(tx, SQL, tenant, after).await
}

async fn page(
    tx: &mut Tx,
    sql: &'static str,
    tenant: TenantId,
    after: i64,
) -> Result<Vec<(JobId, String)>> {
    let rows: Vec<(i64, String)> = on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(tenant.raw())
        .bind(KIND)
        .bind(after)
        .bind(STEP)
        .fetch_all(conn)
        .await)?;
    let read = |(id, result)| (JobId::from_raw(id), result);
    Ok(rows.into_iter().map(read).collect())
}

/// Tenants that have reports with somebody's words.
pub async fn with_words_all_tenants(tx: &mut Tx) -> Result<Vec<TenantId>> {
    const SQL: &str =
        "SELECT DISTINCT tenant FROM job WHERE kind = $1 AND result LIKE '%\"said\":%'";
    let rows: Vec<i64> = on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(KIND)
        .fetch_all(conn)
        .await)?;
    Ok(rows.into_iter().map(TenantId::from_raw).collect())
}

/// Writes what is left of a report.
pub async fn keep(tx: &mut Tx, tenant: TenantId, job: JobId, report: &str) -> Result<()> {
    const SQL: &str = "UPDATE job SET result = $3 WHERE tenant = $1 AND id = $2";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(job.raw())
            .bind(report)
    )?;
    Ok(())
}

/// Those of these turns that the journal still has, with all that was said in them.
pub async fn whole_turns(tx: &mut Tx, tenant: TenantId, turns: &[TurnId]) -> Result<Vec<TurnId>> {
    let turns: Vec<i64> = turns.iter().map(|turn| turn.raw()).collect();
    let mut whole = Vec::new();
    for run in super::batch::groups(tx, &turns) {
        let head = "SELECT id FROM turn
            WHERE tenant = $1 AND journal NOT LIKE '{\"erased\":true%' AND id IN";
        let sql = super::batch::any_of(head, 2, "");
        let rows: Vec<(i64,)> = fetch_list!(tx, sql, [tenant.raw()], run.iter().copied())?;
        whole.extend(rows.into_iter().map(|(id,)| TurnId::from_raw(id)));
    }
    Ok(whole)
}
