//! Reports of replays: results of jobs that hold what people and plugins said, and so go when the journal goes.

use super::{Result, Tx, execute, fetch_list, on_backend};
use crate::domain::{JobId, TenantId, TurnId};

macro_rules! kind {
    () => {
        "installations.replay"
    };
}

/// The jobs of the kind, as their index `job_replay` has them: it is used where the text of a statement names the kind.
macro_rules! select {
    ($what:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM job WHERE kind = '",
            kind!(),
            "'",
            $rest
        )
    };
}

/// The kind of those jobs.
pub const KIND: &str = kind!();
/// Reports of one step: each is some hundred kilobytes at most times.
const STEP: i64 = 8;

const NEXT: &str = select!(
    "id, result",
    " AND tenant = $1 AND id > $2 ORDER BY id LIMIT $3"
);
const NEXT_LOCKED: &str = select!(
    "id, result",
    " AND tenant = $1 AND id > $2 ORDER BY id LIMIT $3 FOR UPDATE"
);
const NEXT_WITH_WORDS: &str = select!(
    "id, result",
    " AND tenant = $1 AND id > $2 AND result LIKE '%\"said\":%' ORDER BY id LIMIT $3"
);
const TENANTS_WITH_WORDS: &str = select!("DISTINCT tenant", " AND result LIKE '%\"said\":%'");

/// A tenant's next replays after a job, with the reports of those that have one; each locked until the transaction ends, so
/// that one which is just coming to its end is waited for.
pub async fn next_for_update(
    tx: &mut Tx,
    tenant: TenantId,
    after: i64,
) -> Result<Vec<(JobId, String)>> {
    let sql = tx.pick(NEXT, NEXT_LOCKED);
    page(tx, sql, tenant, after).await
}

/// The same to look at.
pub async fn next(tx: &mut Tx, tenant: TenantId, after: i64) -> Result<Vec<(JobId, String)>> {
    page(tx, NEXT_WITH_WORDS, tenant, after).await
}

async fn page(
    tx: &mut Tx,
    sql: &'static str,
    tenant: TenantId,
    after: i64,
) -> Result<Vec<(JobId, String)>> {
    let rows: Vec<(i64, String)> = on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(tenant.raw())
        .bind(after)
        .bind(STEP)
        .fetch_all(conn)
        .await)?;
    let read = |(id, result)| (JobId::from_raw(id), result);
    Ok(rows.into_iter().map(read).collect())
}

/// Tenants that have reports with somebody's words.
pub async fn with_words_all_tenants(tx: &mut Tx) -> Result<Vec<TenantId>> {
    let rows: Vec<i64> = on_backend!(tx, |conn| sqlx::query_scalar(TENANTS_WITH_WORDS)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::storage::{OpenOptions, migrate, open};

    #[tokio::test]
    async fn reports_are_found_without_a_look_at_any_other_job() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("db").display());
        let db = open(&OpenOptions::new(url)).await.expect("a database");
        let migrated = migrate::migrate(&db, Timestamp::from_secs(1_795_000_000)).await;
        migrated.expect("migrated");
        let mut tx = db.read().await.expect("a transaction");
        for sql in [NEXT, NEXT_WITH_WORDS, TENANTS_WITH_WORDS] {
            let asked = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let plan: Vec<(i64, i64, i64, String)> =
                on_backend!(tx, |conn| sqlx::query_as(asked).fetch_all(conn).await)
                    .expect("a plan");
            let steps: Vec<String> = plan.into_iter().map(|(.., step)| step).collect();
            let [only] = &steps[..] else {
                panic!("{sql}: {steps:?}");
            };
            assert!(only.contains("INDEX job_replay"), "{sql}: {only}");
        }
    }
}
