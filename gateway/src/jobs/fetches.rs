//! What is fetched for the next steps of jobs, a task each: a slow answer keeps no other job waiting.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::kind::{Fetched, JobKind};
use crate::domain::JobId;
use crate::storage::jobs::Job;

/// Fetches under way at once on one node. A guess: each is one request, and Meta's limits are per account.
const MOST: usize = 16;

/// Dropped, it ends what is under way: a fetch changes nothing anywhere.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    tasks: JoinSet<(JobId, Fetched)>,
    /// `None`: under way.
    jobs: HashMap<JobId, Option<Fetched>>,
}

impl Fetches {
    pub(super) fn begin(&mut self, kind: Option<Arc<dyn JobKind>>, job: Job) {
        let Some(kind) = kind.filter(|_| self.tasks.len() < MOST) else {
            return;
        };
        self.jobs.insert(job.id, None);
        self.tasks.spawn(async move {
            let fetched = kind.fetch(&job).await;
            (job.id, fetched)
        });
    }

    /// Is something for it under way?
    pub(super) fn holds(&self, id: JobId) -> bool {
        self.jobs.contains_key(&id)
    }

    /// Lets go of what has come for jobs that nobody works on any more.
    pub(super) fn keep_only(&mut self, is_open: impl Fn(JobId) -> bool) {
        self.jobs
            .retain(|id, fetched| fetched.is_none() || is_open(*id));
    }

    /// What has come for it.
    pub(super) fn take(&mut self, id: JobId) -> Option<Fetched> {
        while let Some(ended) = self.tasks.try_join_next() {
            self.keep(ended);
        }
        self.jobs.get(&id)?.as_ref()?;
        self.jobs.remove(&id)?
    }

    /// Waits until something has come; for ever when nothing is under way.
    pub(super) async fn arrives(&mut self) {
        match self.tasks.join_next().await {
            Some(ended) => self.keep(ended),
            None => std::future::pending().await,
        }
    }

    fn keep(&mut self, ended: Result<(JobId, Fetched), tokio::task::JoinError>) {
        match ended {
            Ok((id, fetched)) => drop(self.jobs.insert(id, Some(fetched))),
            Err(error) if error.is_cancelled() => {}
            // It panicked, and its task does not say whose it was: those under way are asked for again.
            Err(error) => {
                tracing::error!(%error, "a fetch for a job broke down");
                self.tasks.abort_all();
                self.jobs.retain(|_, fetched| fetched.is_some());
            }
        }
    }
}
