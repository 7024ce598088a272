//! Jobs: long work with progress, that outlives the process that began it.
//!
//! A job is a row; its work is cut into steps, each one transaction that also says where the next one goes on. Whoever
//! owns the job's bucket runs it, and every step is fenced like all work of a bucket: after a crash, or a change of
//! owner, the next step goes on from the last that was committed, and none is done twice. What a step needs from outside
//! is fetched before its transaction, beside the steps of other jobs. Between steps the traffic goes first (`pace`).

mod fetches;
mod kind;
mod pace;
mod runner;

pub use kind::{Fetched, JobKind, Step, StepError};
pub use pace::{Pace, Traffic};
pub use runner::{Runner, Wake};

use serde_json::{Value, json};

use crate::domain::{Bucket, JobId, TenantId};
use crate::storage::Tx;
use crate::storage::jobs::{self, Job, JobState, Reject};
use crate::tenants::{SetupContext, SetupError};

type Result<T, E = SetupError> = std::result::Result<T, E>;

/// Jobs of one kind that a tenant may have open. A guess: more than anybody looks at, and a list of so many thousand rows
/// each is a day's work.
pub const OPEN_MOST: i64 = 50;

/// Kinds of which there may be any number. Whoever is to be forgotten is never told to wait; an account has one sync at a time
/// anyway.
const UNBOUNDED: [&str; 4] = [
    "consent.erase",
    "contacts.erase_journals",
    "tenant.erase",
    "templates.sync",
];

/// May the tenant have one more open? Two requests at the same moment may both be the last one: what is bounded is how much
/// waits, not the number.
pub async fn check_room(tx: &mut Tx, tenant: TenantId, kind: &str) -> Result<()> {
    if UNBOUNDED.contains(&kind) {
        return Ok(());
    }
    let open = jobs::open_jobs_of_kind(tx, tenant, kind).await?;
    match open < OPEN_MOST {
        true => Ok(()),
        false => Err(SetupError::TooMany {
            what: format!("jobs `{kind}` open"),
            most: OPEN_MOST,
        }),
    }
}

/// Queues a job, unless the tenant has too many of its kind open. `params` hold no secret; `total` when the number of items
/// is known.
pub async fn create(
    setup: &SetupContext,
    tenant: TenantId,
    kind: &'static str,
    params: &Value,
    total: Option<i64>,
) -> Result<Job> {
    let mut tx = setup.db.begin().await?;
    let job = queue(setup, &mut tx, tenant, kind, params, total).await?;
    setup.commit(tx).await?;
    Ok(job)
}

/// The same, in the transaction of what the job works on.
pub async fn queue(
    setup: &SetupContext,
    tx: &mut Tx,
    tenant: TenantId,
    kind: &'static str,
    params: &Value,
    total: Option<i64>,
) -> Result<Job> {
    check_room(tx, tenant, kind).await?;
    let id = JobId::from_raw(setup.next_id());
    let now = setup.clock.now();
    let job = Job {
        id,
        tenant,
        bucket: Bucket::spread(id.raw()),
        kind: kind.to_owned(),
        state: JobState::Queued,
        params: params.to_string(),
        progress: String::new(),
        done: 0,
        total,
        rejected: 0,
        result: String::new(),
        problem: String::new(),
        cancel: false,
        attempts: 0,
        created_by: setup.by.label(),
        created_at: now,
        changed_at: now,
        ended_at: None,
        due_at: now,
    };
    jobs::insert_job(tx, tenant, &job).await?;
    let became = Some(json!({"kind": kind}));
    setup
        .record(tx, tenant, "job.create", id, None, became)
        .await?;
    Ok(job)
}

/// Asks a job to stop. It does before its next step; one that is over stays as it is.
pub async fn cancel(setup: &SetupContext, tenant: TenantId, id: JobId) -> Result<Job> {
    change(setup, tenant, id, "job.cancel", |job| {
        if job.state.is_open() {
            job.cancel = true;
            job.due_at = setup.clock.now();
        }
        Ok(())
    })
    .await
}

/// Lets a job that failed or was cancelled go on where it stood.
pub async fn resume(setup: &SetupContext, tenant: TenantId, id: JobId) -> Result<Job> {
    let kind = find(setup, tenant, id).await?.kind;
    let mut tx = setup.db.read().await?;
    check_room(&mut tx, tenant, &kind).await?;
    drop(tx);
    change(setup, tenant, id, "job.resume", |job| {
        if !matches!(job.state, JobState::Failed | JobState::Cancelled) {
            let problem = format!(
                "is {}: only a failed or cancelled one goes on",
                job.state.text()
            );
            return Err(SetupError::invalid("the job", problem));
        }
        job.state = JobState::Queued;
        job.cancel = false;
        job.attempts = 0;
        job.problem.clear();
        job.ended_at = None;
        job.due_at = setup.clock.now();
        Ok(())
    })
    .await
}

async fn change(
    setup: &SetupContext,
    tenant: TenantId,
    id: JobId,
    action: &'static str,
    apply: impl FnOnce(&mut Job) -> Result<()>,
) -> Result<Job> {
    let mut tx = setup.db.begin().await?;
    let mut job = jobs::job_for_update(&mut tx, tenant, id)
        .await?
        .ok_or_else(|| SetupError::not_found("job", &id.to_string()))?;
    let was = Some(json!({"state": job.state.text()}));
    apply(&mut job)?;
    job.changed_at = setup.clock.now();
    jobs::update_job(&mut tx, tenant, &job).await?;
    setup.record(&mut tx, tenant, action, id, was, None).await?;
    setup.commit(tx).await?;
    Ok(job)
}

pub async fn find(setup: &SetupContext, tenant: TenantId, id: JobId) -> Result<Job> {
    let mut tx = setup.db.read().await?;
    jobs::job(&mut tx, tenant, id)
        .await?
        .ok_or_else(|| SetupError::not_found("job", &id.to_string()))
}

/// Jobs before an id, newest first.
pub async fn page(
    setup: &SetupContext,
    tenant: TenantId,
    before: i64,
    most: i64,
) -> Result<Vec<Job>> {
    let mut tx = setup.db.read().await?;
    Ok(jobs::jobs(&mut tx, tenant, before, most).await?)
}

/// What a job could not take, after an item.
pub async fn rejects(
    setup: &SetupContext,
    tenant: TenantId,
    id: JobId,
    after: i64,
    most: i64,
) -> Result<Vec<Reject>> {
    let mut tx = setup.db.read().await?;
    Ok(jobs::rejects(&mut tx, tenant, id, after, most).await?)
}
