//! Runs the jobs of this node's buckets: a step of each in turn, so that a long one keeps nobody waiting.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::fetches::Fetches;
use super::kind::{Fetched, JobKind, Step, StepError};
use super::pace::{Pace, Traffic};
use crate::domain::{Bucket, Clock, JobId, TenantId, Timestamp};
use crate::ownership::Owned;
use crate::storage::buckets::{self, Lease};
use crate::storage::jobs::{self, Full, Job, JobState};
use crate::storage::{Db, Result, StorageError};
use crate::telemetry::names;

/// How long a job that another node queued may wait to be seen; this node's own are told of by [`Wake`].
const LOOK: Duration = Duration::from_secs(1);
/// A step of what was read elsewhere counts so many times: what it changes is read again by the registries of all nodes, in
/// no step. A guess; `bench` measures it (the row `sync`).
const FETCHED_COUNTS: u32 = 3;
/// A step that the database refused so often fails the job. It can be resumed.
const ATTEMPTS_MOST: i64 = 5;

/// Tells this node's runner that there is something to do.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    pub fn now(&self) {
        self.0.notify_one();
    }
}

/// Runs jobs.
#[derive(Debug)]
pub struct Runner {
    pub db: Db,
    pub owned: Owned,
    pub clock: Arc<dyn Clock>,
    pub kinds: Vec<Arc<dyn JobKind>>,
    pub wake: Wake,
    /// What it yields to.
    pub traffic: Traffic,
}

/// A job that has all that its step needs.
struct Ready {
    tenant: TenantId,
    id: JobId,
    /// Where its kind may have only so many under way.
    places: Option<Arc<dyn JobKind>>,
    fetched: Fetched,
    reading: Duration,
}

impl Ready {
    fn has_place(&self) -> bool {
        let full = self.places.as_ref().and_then(|kind| kind.full());
        full.is_none_or(|holders| holders.contains(&self.id))
    }
}

impl Runner {
    /// Runs until stopped; the step under way is finished first.
    pub async fn run(self, stop: CancellationToken) {
        let mut fetches = Fetches::default();
        let mut pace = Pace::beside(&self.traffic);
        while !stop.is_cancelled() {
            let worked = match self.round(&mut fetches, &mut pace, &stop).await {
                Ok(worked) => worked,
                Err(error) => {
                    tracing::warn!(%error, "jobs could not be looked at; it is tried again");
                    false
                }
            };
            if !worked {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.wake.0.notified() => {}
                    () = fetches.arrives() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    }

    /// One step of every open job that has what it needs. Answers whether one of them got on.
    async fn round(
        &self,
        fetches: &mut Fetches,
        pace: &mut Pace,
        stop: &CancellationToken,
    ) -> Result<bool> {
        let buckets = self.owned.borrow().buckets();
        let mut tx = self.db.glance().await?;
        let open = jobs::due_all_tenants(&mut tx, &buckets, self.clock.now(), &self.full()).await?;
        fetches.keep_only(|id| open.iter().any(|(_, job)| *job == id));
        let mut ready = Vec::new();
        for (tenant, id) in open {
            match fetches.take(id) {
                Some((fetched, reading)) => ready.push(Ready {
                    tenant,
                    id,
                    places: None,
                    fetched,
                    reading,
                }),
                None if fetches.holds(id) => {}
                None => match jobs::job(&mut tx, tenant, id).await? {
                    Some(job) if self.fetches(&job) => fetches.begin(self.kind(&job), job),
                    Some(job) => ready.push(Ready {
                        tenant,
                        id,
                        places: self.kind(&job).filter(|_| !job.cancel),
                        fetched: Fetched::default(),
                        reading: Duration::ZERO,
                    }),
                    None => {}
                },
            }
        }
        drop(tx);
        let mut worked = false;
        for next in ready {
            if stop.is_cancelled() {
                break;
            }
            // The place may have gone to one before it in this round.
            if !next.has_place() {
                continue;
            }
            let Ready {
                tenant,
                id,
                fetched,
                reading,
                ..
            } = next;
            let weight = if fetched.is_some() { FETCHED_COUNTS } else { 1 };
            let began = self.clock.now();
            let done = self.step(tenant, id, fetched).await;
            let took = self.clock.now().since(began);
            match done {
                Ok(()) => worked = true,
                // The bucket has a new owner, who goes on.
                Err(StorageError::Fenced(_)) => {}
                Err(error) => {
                    tracing::warn!(%error, job = %id, "a step of a job failed");
                    worked |= self
                        .count_failure(tenant, id, &error)
                        .await
                        .is_ok_and(|failed| failed);
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = pace.rest((took + reading) * weight) => {}
            }
        }
        Ok(worked)
    }

    fn full(&self) -> Vec<Full> {
        let full = |kind: &Arc<dyn JobKind>| {
            Some(Full {
                kind: kind.name(),
                holders: kind.full()?,
            })
        };
        self.kinds.iter().filter_map(full).collect()
    }

    fn kind(&self, job: &Job) -> Option<Arc<dyn JobKind>> {
        let kind = self.kinds.iter().find(|kind| kind.name() == job.kind);
        kind.cloned()
    }

    fn fetches(&self, job: &Job) -> bool {
        !job.cancel && self.kind(job).is_some_and(|kind| kind.fetches())
    }

    async fn step(&self, tenant: TenantId, id: JobId, fetched: Fetched) -> Result<()> {
        let lease = self.lease(id)?;
        let mut tx = self.db.begin().await?;
        buckets::fence(&mut tx, &[lease]).await?;
        let Some(mut job) = jobs::job_for_update(&mut tx, tenant, id).await? else {
            return Ok(());
        };
        if !job.state.is_open() {
            // Another node ended it, and counted that: what its kind has under way here is for nobody.
            drop(tx);
            self.tell_kind(&job).await;
            return Ok(());
        }
        let now = self.clock.now();
        let kind = self.kind(&job);
        let outcome = match &kind {
            _ if job.cancel => {
                end(&mut job, JobState::Cancelled, now);
                None
            }
            None => {
                fail(&mut job, "this version does not know the kind of job", now);
                None
            }
            Some(kind) => Some(kind.step_with(&mut tx, &job, fetched).await),
        };
        match outcome {
            Some(Ok(step)) => {
                jobs::insert_rejects(&mut tx, tenant, id, &step.rejects).await?;
                advance(&mut job, step, now);
            }
            Some(Err(StepError::Storage(error))) => return Err(error),
            Some(Err(StepError::Refused(why))) => {
                // What the step has written goes with its transaction.
                drop(tx);
                tx = self.db.begin().await?;
                buckets::fence(&mut tx, &[lease]).await?;
                fail(&mut job, &why, now);
            }
            None => {}
        }
        jobs::update_job(&mut tx, tenant, &job).await?;
        tx.commit().await?;
        self.committed(&job).await;
        Ok(())
    }

    /// After a step: is it over, that is counted, and its kind told.
    async fn committed(&self, job: &Job) {
        if job.state.is_open() {
            return;
        }
        metrics::counter!(names::JOBS, "end" => job.state.text()).increment(1);
        self.tell_kind(job).await;
    }

    /// A job is over.
    async fn tell_kind(&self, job: &Job) {
        if let Some(kind) = self.kind(job)
            && let Err(error) = kind.ended(job).await
        {
            tracing::warn!(%error, job = %job.id, "what was to be done after a job was not");
        }
    }

    fn lease(&self, id: JobId) -> Result<Lease> {
        let bucket = Bucket::spread(id.raw());
        let lease = self.owned.borrow().lease(bucket);
        lease.ok_or(StorageError::Fenced(bucket.raw()))
    }

    /// Answers whether the job has failed for good, which is something that got on.
    async fn count_failure(
        &self,
        tenant: TenantId,
        id: JobId,
        error: &StorageError,
    ) -> Result<bool> {
        let lease = self.lease(id)?;
        let mut tx = self.db.begin().await?;
        buckets::fence(&mut tx, &[lease]).await?;
        let found = jobs::job_for_update(&mut tx, tenant, id).await?;
        let Some(mut job) = found.filter(|job| job.state.is_open()) else {
            return Ok(false);
        };
        job.attempts += 1;
        let failed = job.attempts >= ATTEMPTS_MOST;
        if failed {
            fail(
                &mut job,
                &format!("the database refused a step: {error}"),
                self.clock.now(),
            );
        }
        jobs::update_job(&mut tx, tenant, &job).await?;
        tx.commit().await?;
        self.committed(&job).await;
        Ok(failed)
    }
}

fn advance(job: &mut Job, step: Step, now: Timestamp) {
    job.state = JobState::Running;
    job.attempts = 0;
    job.done += step.done;
    job.rejected += i64::try_from(step.rejects.len()).unwrap_or(i64::MAX);
    job.total = step.total.or(job.total);
    job.progress = step.progress.to_string();
    job.due_at = step.wait.map_or(now, |wait| now.plus(wait));
    job.changed_at = now;
    if let Some(result) = step.result {
        job.result = result.to_string();
        job.total = Some(job.done);
        end(job, JobState::Done, now);
    }
}

fn fail(job: &mut Job, why: &str, now: Timestamp) {
    job.problem = why.to_owned();
    end(job, JobState::Failed, now);
}

fn end(job: &mut Job, state: JobState, now: Timestamp) {
    job.state = state;
    job.changed_at = now;
    job.ended_at = Some(now);
}

#[cfg(test)]
mod tests;
