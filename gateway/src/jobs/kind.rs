//! What a kind of job is: a name, and one bounded step.

use std::any::Any;
use std::fmt;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;

use crate::domain::JobId;
use crate::storage::jobs::{Job, Reject};
use crate::storage::{StorageError, Tx};

/// A kind of long work. A step does a bounded part (well below a second of the writer) and no network call.
pub trait JobKind: Send + Sync + fmt::Debug {
    /// As the row names it.
    fn name(&self) -> &'static str;

    /// Does a step need something from outside first?
    fn fetches(&self) -> bool {
        false
    }

    /// What the next step needs from outside, asked for before its transaction begins. A step that was lost asks again:
    /// so this changes nothing anywhere.
    fn fetch<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Fetched> {
        let _ = job;
        std::future::ready(Fetched::default()).boxed()
    }

    /// Goes on from `job.progress`. What it does in `tx` is committed together with what it answers, or not at all.
    fn step<'a>(&'a self, tx: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Step, StepError>>;

    /// Work of this kind that is under way outside of steps and has no more places: only these jobs have a step until one is
    /// free, and the others cost nothing. `None`: every job may have its step.
    fn full(&self) -> Option<Vec<JobId>> {
        None
    }

    /// A job of this kind is over, perhaps by somebody's word, and that is committed: what works for it outside of its steps
    /// ends too, and what its end calls for is done. A crash may leave it undone, and a job that changed hands may be told of
    /// on two nodes.
    fn ended<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), StorageError>> {
        let _ = job;
        std::future::ready(Ok(())).boxed()
    }

    /// The step of a kind that fetches. What was fetched may be for a step that another node has done since.
    fn step_with<'a>(
        &'a self,
        tx: &'a mut Tx,
        job: &'a Job,
        fetched: Fetched,
    ) -> BoxFuture<'a, Result<Step, StepError>> {
        let _ = fetched;
        self.step(tx, job)
    }
}

/// What a step was brought from outside: whatever its own kind has put in.
#[derive(Default)]
pub struct Fetched(Option<Box<dyn Any + Send>>);

impl Fetched {
    pub fn new<T: Any + Send>(value: T) -> Self {
        Self(Some(Box::new(value)))
    }

    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    pub fn take<T: Any>(self) -> Option<T> {
        let value = self.0?.downcast().ok()?;
        Some(*value)
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fetched").field(&self.0.is_some()).finish()
    }
}

/// What a step has done.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Items looked at in this step, those that were rejected too. Below zero: some are looked at again.
    pub done: i64,
    /// When it is known by now.
    pub total: Option<i64>,
    pub rejects: Vec<Reject>,
    /// Where the next step goes on.
    pub progress: Value,
    /// It was the last one, with this result.
    pub result: Option<Value>,
    /// The next step waits so long.
    pub wait: Option<Duration>,
}

/// Why a step did nothing.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Trying again will not help.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Storage(#[from] StorageError),
}
