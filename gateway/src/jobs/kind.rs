//! What a kind of job is: a name, and one bounded step.

use std::fmt;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::storage::jobs::{Job, Reject};
use crate::storage::{StorageError, Tx};

/// A kind of long work. A step does a bounded part (well below a second of the writer) and no network call.
pub trait JobKind: Send + Sync + fmt::Debug {
    /// As the row names it.
    fn name(&self) -> &'static str;

    /// Goes on from `job.progress`. What it does in `tx` is committed together with what it answers, or not at all.
    fn step<'a>(&'a self, tx: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Step, StepError>>;

    /// What is to be done once the last step is committed, outside of any transaction. A crash may leave it undone.
    fn done(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What a step has done.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Items looked at in this step, those that were rejected too.
    pub done: i64,
    /// When it is known by now.
    pub total: Option<i64>,
    pub rejects: Vec<Reject>,
    /// Where the next step goes on.
    pub progress: Value,
    /// It was the last one, with this result.
    pub result: Option<Value>,
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
