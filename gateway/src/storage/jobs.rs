//! Jobs: long work in steps, each committed with how far it got, and what it could not take.

use sqlx::{AssertSqlSafe, FromRow};

use super::{
    Db, Result, StorageError, Tx, batch, execute, execute_rows, forget, on_backend, rows,
    rows::moment,
};
use crate::domain::{Bucket, JobId, TenantId, Timestamp};

/// A job as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    /// Tenant 0: the operator's.
    pub tenant: TenantId,
    pub bucket: Bucket,
    pub kind: String,
    pub state: JobState,
    /// JSON: what was asked for.
    pub params: String,
    /// JSON: where the next step goes on; `""` before the first.
    pub progress: String,
    pub done: i64,
    /// `None`: not known.
    pub total: Option<i64>,
    pub rejected: i64,
    /// JSON, once it is done.
    pub result: String,
    pub problem: String,
    pub cancel: bool,
    /// Steps that failed one after the other.
    pub attempts: i64,
    pub created_by: String,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// Its next step waits until then.
    pub due_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
}

/// Something that a job could not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Which item of the input, from 1 on.
    pub ordinal: i64,
    pub reason: String,
    pub item: String,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    tenant: i64,
    bucket: i64,
    kind: String,
    state: String,
    params: String,
    progress: String,
    done: i64,
    total: i64,
    rejected: i64,
    result: String,
    problem: String,
    cancel: i64,
    attempts: i64,
    created_by: String,
    created_at: i64,
    changed_at: i64,
    ended_at: i64,
    due_at: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant, bucket, kind, state, params, progress, done, total, rejected, result, problem, cancel,
                attempts, created_by, created_at, changed_at, ended_at, due_at FROM job ",
            $rest
        )
    };
}

pub async fn insert_job(tx: &mut Tx, tenant: TenantId, job: &Job) -> Result<()> {
    const SQL: &str =
        "INSERT INTO job (id, tenant, bucket, kind, state, params, progress, done, total, rejected,
            result, problem, cancel, attempts, created_by, created_at, changed_at, ended_at, due_at)
        VALUES ($1, $2, $3, $4, $5, $6, '', 0, $7, 0, '', '', 0, 0, $8, $9, $9, 0, $10)";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(job.id.raw())
            .bind(tenant.raw())
            .bind(job.bucket.raw())
            .bind(&job.kind)
            .bind(job.state.text())
            .bind(&job.params)
            .bind(job.total.unwrap_or(-1))
            .bind(&job.created_by)
            .bind(job.created_at.millis())
            .bind(job.due_at.millis())
    )?;
    Ok(())
}

pub async fn job(tx: &mut Tx, tenant: TenantId, id: JobId) -> Result<Option<Job>> {
    let sql = select!("WHERE tenant = $1 AND id = $2");
    let row: Option<Row> = rows::one(tx, tenant, sql, id.raw()).await?;
    row.map(Job::try_from).transpose()
}

/// The same, locked until the transaction ends.
pub async fn job_for_update(tx: &mut Tx, tenant: TenantId, id: JobId) -> Result<Option<Job>> {
    let sql = tx.pick(
        select!("WHERE tenant = $1 AND id = $2"),
        select!("WHERE tenant = $1 AND id = $2 FOR UPDATE"),
    );
    let row: Option<Row> = rows::one(tx, tenant, sql, id.raw()).await?;
    row.map(Job::try_from).transpose()
}

/// Jobs before an id, newest first.
pub async fn jobs(tx: &mut Tx, tenant: TenantId, before: i64, most: i64) -> Result<Vec<Job>> {
    let sql = select!("WHERE tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
    let rows: Vec<Row> = rows::page(tx, tenant, sql, before, most).await?;
    rows.into_iter().map(Job::try_from).collect()
}

/// What a kind of jobs lets have a step: those that hold one of its places, and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    pub kind: &'static str,
    pub holders: Vec<JobId>,
}

/// Jobs of these buckets that have a step to come: every tenant's first one, then every tenant's second; of those whoever
/// has waited longest. So whoever has many open takes nobody's turn. What waits for a place of its kind is left out,
/// unless it is to be cancelled.
pub async fn due_all_tenants(
    tx: &mut Tx,
    buckets: &[Bucket],
    now: Timestamp,
    full: &[Full],
) -> Result<Vec<(TenantId, JobId)>> {
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let buckets: Vec<i64> = buckets.iter().map(|bucket| bucket.raw()).collect();
    let sql = AssertSqlSafe(due_sql(buckets.len().next_power_of_two(), full));
    let buckets = batch::padded(&buckets);
    let rows: Vec<(i64, i64)> = on_backend!(tx, |conn| {
        let mut query = sqlx::query_as(sql).bind(now.millis());
        for bucket in &buckets {
            query = query.bind(bucket);
        }
        for kind in full {
            query = query.bind(kind.kind);
            for holder in &kind.holders {
                query = query.bind(holder.raw());
            }
        }
        query.fetch_all(conn).await
    })?;
    Ok(rows
        .into_iter()
        .map(|(tenant, id)| (TenantId::from_raw(tenant), JobId::from_raw(id)))
        .collect())
}

fn due_sql(buckets: usize, full: &[Full]) -> String {
    let mut number = 1;
    let mut marks = |count: usize| {
        let marks = (number + 1..=number + count).map(|number| format!("${number}"));
        let marks = marks.collect::<Vec<_>>().join(", ");
        number += count;
        marks
    };
    let buckets = marks(buckets);
    let held_back: String = full
        .iter()
        .map(|full| match (marks(1), full.holders.len()) {
            (kind, 0) => format!(" AND (cancel = 1 OR kind <> {kind})"),
            (kind, holders) => {
                let holders = marks(holders);
                format!(" AND (cancel = 1 OR kind <> {kind} OR id IN ({holders}))")
            }
        })
        .collect();
    format!(
        "SELECT tenant, id FROM
            (SELECT tenant, id, due_at, ROW_NUMBER() OVER (PARTITION BY tenant ORDER BY due_at, id) AS place FROM job
             WHERE state IN ('queued', 'running') AND due_at <= $1 AND bucket IN ({buckets}){held_back}) AS due
         ORDER BY place, due_at, id LIMIT 256"
    )
}

/// Puts a tenant's jobs of a kind that have not begun behind those of all others, because one of them begins now.
pub async fn go_behind(tx: &mut Tx, tenant: TenantId, begins: &Job, now: Timestamp) -> Result<()> {
    // What another node has in its hands has its turn there.
    let free = tx.pick("", "FOR UPDATE SKIP LOCKED");
    let sql = AssertSqlSafe(format!(
        "UPDATE job SET due_at = $4 WHERE id IN (SELECT id FROM job
            WHERE tenant = $1 AND kind = $2 AND state = 'queued' AND id <> $3 AND due_at < $4 {free})"
    ));
    execute!(
        tx,
        sqlx::query(sql)
            .bind(tenant.raw())
            .bind(&begins.kind)
            .bind(begins.id.raw())
            .bind(now.millis())
    )?;
    Ok(())
}

/// How many jobs of a tenant are not over.
pub async fn open_jobs(tx: &mut Tx, tenant: TenantId) -> Result<i64> {
    const SQL: &str =
        "SELECT COUNT(*) FROM job WHERE tenant = $1 AND state IN ('queued', 'running')";
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(tenant.raw())
        .fetch_one(conn)
        .await)?)
}

/// How many of them are of one kind.
pub async fn open_jobs_of_kind(tx: &mut Tx, tenant: TenantId, kind: &str) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM job
        WHERE tenant = $1 AND kind = $2 AND state IN ('queued', 'running')";
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(tenant.raw())
        .bind(kind)
        .fetch_one(conn)
        .await)?)
}

/// Writes everything of a job that a step or a person may have changed.
pub async fn update_job(tx: &mut Tx, tenant: TenantId, job: &Job) -> Result<()> {
    const SQL: &str = "UPDATE job SET state = $3, progress = $4, done = $5, total = $6, rejected = $7, result = $8,
            problem = $9, cancel = $10, attempts = $11, changed_at = $12, ended_at = $13, due_at = $14
        WHERE tenant = $1 AND id = $2";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(job.id.raw())
            .bind(job.state.text())
            .bind(&job.progress)
            .bind(job.done)
            .bind(job.total.unwrap_or(-1))
            .bind(job.rejected)
            .bind(&job.result)
            .bind(&job.problem)
            .bind(i64::from(job.cancel))
            .bind(job.attempts)
            .bind(job.changed_at.millis())
            .bind(job.ended_at.map_or(0, Timestamp::millis))
            .bind(job.due_at.millis())
    )?;
    Ok(())
}

pub async fn insert_rejects(
    tx: &mut Tx,
    tenant: TenantId,
    job: JobId,
    rejects: &[Reject],
) -> Result<()> {
    const HEAD: &str = "INSERT INTO job_reject (job, ordinal, tenant, reason, item) VALUES";
    for run in batch::groups(tx, rejects) {
        let sql = batch::rows(HEAD, 5, "");
        execute_rows!(tx, sql, run, |query, reject| query
            .bind(job.raw())
            .bind(reject.ordinal)
            .bind(tenant.raw())
            .bind(&reject.reason)
            .bind(&reject.item))?;
    }
    Ok(())
}

/// Rejects after an item, in the order of the input.
pub async fn rejects(
    tx: &mut Tx,
    tenant: TenantId,
    job: JobId,
    after: i64,
    most: i64,
) -> Result<Vec<Reject>> {
    const SQL: &str = "SELECT ordinal, reason, item FROM job_reject
        WHERE tenant = $1 AND job = $2 AND ordinal > $3 ORDER BY ordinal LIMIT $4";
    let rows: Vec<(i64, String, String)> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(tenant.raw())
        .bind(job.raw())
        .bind(after)
        .bind(most)
        .fetch_all(conn)
        .await)?;
    let reject = |(ordinal, reason, item)| Reject {
        ordinal,
        reason,
        item,
    };
    Ok(rows.into_iter().map(reject).collect())
}

/// Lets go of jobs that ended before a moment, their rejects first. Answers how many rows that was.
pub async fn forget_all_tenants(db: &Db, before: Timestamp) -> Result<u64> {
    const REJECTS: &str = "DELETE FROM job_reject WHERE (job, ordinal) IN
        (SELECT r.job, r.ordinal FROM job_reject r JOIN job j ON j.id = r.job
            WHERE j.ended_at <> 0 AND j.ended_at < $1 LIMIT $2)";
    const JOBS: &str = "DELETE FROM job WHERE id IN
        (SELECT id FROM job WHERE ended_at <> 0 AND ended_at < $1 LIMIT $2)";
    let mut gone = 0;
    for sql in [REJECTS, JOBS] {
        gone += forget::in_steps_all_tenants(db, sql, before.millis()).await?;
    }
    Ok(gone)
}

impl JobState {
    pub fn text(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Does it still have steps to come?
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }

    fn read(text: &str) -> Result<Self> {
        let all = [
            Self::Queued,
            Self::Running,
            Self::Done,
            Self::Failed,
            Self::Cancelled,
        ];
        all.into_iter()
            .find(|state| state.text() == text)
            .ok_or_else(|| StorageError::Corrupt(format!("job state {text}")))
    }
}

impl TryFrom<Row> for Job {
    type Error = StorageError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: JobId::from_raw(row.id),
            tenant: TenantId::from_raw(row.tenant),
            bucket: Bucket::from_raw(row.bucket)
                .ok_or_else(|| StorageError::Corrupt(format!("bucket {}", row.bucket)))?,
            kind: row.kind,
            state: JobState::read(&row.state)?,
            params: row.params,
            progress: row.progress,
            done: row.done,
            total: (row.total >= 0).then_some(row.total),
            rejected: row.rejected,
            result: row.result,
            problem: row.problem,
            cancel: row.cancel == 1,
            attempts: row.attempts,
            created_by: row.created_by,
            created_at: Timestamp::from_millis(row.created_at),
            changed_at: Timestamp::from_millis(row.changed_at),
            ended_at: moment(row.ended_at),
            due_at: Timestamp::from_millis(row.due_at),
        })
    }
}
