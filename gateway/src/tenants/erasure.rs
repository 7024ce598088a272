//! Forgetting the people of a tenant that was removed: a job, because there may be millions.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::domain::TenantId;
use crate::jobs::{JobKind, Step, StepError};
use crate::storage::jobs::Job;
use crate::storage::{Tx, erase};

/// The kind of job.
#[derive(Debug)]
pub struct EraseJob;

impl EraseJob {
    pub const NAME: &'static str = "tenant.erase";

    /// As the job is told which tenant.
    pub(super) fn params(tenant: TenantId) -> Value {
        json!({"tenant": tenant})
    }

    async fn step(tx: &mut Tx, job: &Job) -> Result<Step, StepError> {
        let params: Value = serde_json::from_str(&job.params).unwrap_or_default();
        let tenant = params["tenant"].as_str().and_then(|id| id.parse().ok());
        let tenant: TenantId =
            tenant.ok_or_else(|| StepError::Refused("the job names no tenant".to_owned()))?;
        let gone = i64::try_from(erase::people(tx, tenant).await?).unwrap_or(i64::MAX);
        Ok(Step {
            done: gone,
            progress: Value::Null,
            result: (gone == 0).then(|| json!({"rows": job.done})),
            ..Step::default()
        })
    }
}

impl JobKind for EraseJob {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn step<'a>(&'a self, tx: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Step, StepError>> {
        Self::step(tx, job).boxed()
    }
}
