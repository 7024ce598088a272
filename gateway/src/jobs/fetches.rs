//! What is fetched for the next steps of jobs, a task each: a slow answer keeps no other job waiting.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::kind::{Fetched, JobKind};
use crate::domain::JobId;
use crate::storage::jobs::Job;

/// Fetches under way at once on one node. A guess: each is one request, and Meta's limits are per account.
const MOST: usize = 16;

/// What has come, and how long it kept a thread busy: waiting for the answer is nobody's cost, reading it is.
pub(super) type Arrived = (Fetched, Duration);

/// Dropped, it ends what is under way: a fetch changes nothing anywhere.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    tasks: JoinSet<(JobId, Arrived)>,
    /// `None`: under way.
    jobs: HashMap<JobId, Option<Arrived>>,
}

impl Fetches {
    pub(super) fn begin(&mut self, kind: Option<Arc<dyn JobKind>>, job: Job) {
        let Some(kind) = kind.filter(|_| self.tasks.len() < MOST) else {
            return;
        };
        self.jobs.insert(job.id, None);
        self.tasks.spawn(async move {
            let arrived = timed(kind.fetch(&job)).await;
            (job.id, arrived)
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
    pub(super) fn take(&mut self, id: JobId) -> Option<Arrived> {
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

    fn keep(&mut self, ended: Result<(JobId, Arrived), tokio::task::JoinError>) {
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

/// With how long its polls took all together.
#[allow(
    clippy::disallowed_methods,
    reason = "how long work took says how long to rest from it, never what is stored"
)]
async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let mut work = pin!(work);
    let mut busy = Duration::ZERO;
    let done = poll_fn(|context| {
        let began = Instant::now();
        let polled = work.as_mut().poll(context);
        busy += began.elapsed();
        polled
    })
    .await;
    (done, busy)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "it is what is measured")]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const WORK: Duration = Duration::from_millis(2);

    #[tokio::test]
    async fn work_counts_and_what_passes_between_does_not() {
        let began = Instant::now();
        let mut work = pin!(timed(async {
            let first = is_busy();
            tokio::task::yield_now().await;
            first + is_busy()
        }));
        assert!(work.as_mut().now_or_never().is_none());
        let between = is_busy();
        let (inside, busy) = work.await;
        assert!(busy >= inside && busy <= began.elapsed() - between);
    }

    /// Keeps the thread busy, and says for how long.
    fn is_busy() -> Duration {
        let began = Instant::now();
        while began.elapsed() < WORK {}
        began.elapsed()
    }
}
