//! Importing contacts: a job that puts them a few at a time, and keeps those that it could not take.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Arc;

use super::attributes::Definitions;
use super::put::{ContactError, NewContact, put};
use crate::consent::pseudonym::Pseudonyms;
use crate::domain::{Clock, IdGenerator, TenantId};
use crate::jobs::{self, JobKind, Step, StepError};
use crate::storage::jobs::{Job, Reject};
use crate::storage::{Tx, contacts};
use crate::tenants::{SetupContext, SetupError};

/// The kind of job.
#[derive(Debug)]
pub struct ImportJob {
    pub ids: Arc<IdGenerator>,
    pub clock: Arc<dyn Clock>,
    pub pseudonyms: Pseudonyms,
}

/// Contacts of one step: some milliseconds of the writer.
const STEP: i64 = 50;

impl ImportJob {
    pub const NAME: &'static str = "contacts.import";

    async fn step(&self, tx: &mut Tx, job: &Job) -> Result<Step, StepError> {
        let params: Value = serde_json::from_str(&job.params).unwrap_or_default();
        let import = params["import"].as_i64();
        let import =
            import.ok_or_else(|| StepError::Refused("the job names no import".to_owned()))?;
        let progress: Value = serde_json::from_str(&job.progress).unwrap_or_default();
        let count = |name: &str| progress[name].as_i64().unwrap_or(0);
        let (mut after, mut made, mut changed) = (count("after"), count("made"), count("changed"));
        let items = contacts::import_items(tx, job.tenant, import, after, STEP).await?;
        let known = Definitions::read(tx, job.tenant).await?;
        let mut step = Step {
            done: i64::try_from(items.len()).unwrap_or(i64::MAX),
            ..Step::default()
        };
        let over = step.done < STEP;
        for (ordinal, item) in items {
            after = ordinal;
            match self.one(tx, job.tenant, &known, &item).await? {
                Ok(true) => made += 1,
                Ok(false) => changed += 1,
                Err(reason) => step.rejects.push(Reject {
                    ordinal,
                    reason,
                    item,
                }),
            }
        }
        step.progress = json!({"after": after, "made": made, "changed": changed});
        if over {
            contacts::drop_import(tx, job.tenant, import).await?;
            step.result = Some(json!({"made": made, "changed": changed}));
        }
        Ok(step)
    }

    /// `Ok(true)`: it was made. The inner error: why it was not taken.
    async fn one(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        known: &Definitions,
        item: &str,
    ) -> Result<Result<bool, String>, StepError> {
        let new: NewContact = match serde_json::from_str(item) {
            Ok(new) => new,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let now = self.clock.now();
        let (by, next_id) = ((known, &self.pseudonyms), || self.ids.next(now));
        match put(tx, tenant, by, &new, now, next_id).await {
            Ok(put) => Ok(Ok(put.made)),
            Err(ContactError::Storage(error)) => Err(error.into()),
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}

impl JobKind for ImportJob {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn step<'a>(&'a self, tx: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Step, StepError>> {
        self.step(tx, job).boxed()
    }
}

/// Keeps what is to be imported and queues the job that does it.
pub async fn begin(
    setup: &SetupContext,
    tenant: TenantId,
    items: &[Value],
) -> Result<Job, SetupError> {
    let import = setup.next_id();
    let texts: Vec<String> = items.iter().map(Value::to_string).collect();
    let mut tx = setup.db.begin().await?;
    contacts::add_import(&mut tx, tenant, import, &texts).await?;
    let total = i64::try_from(items.len()).ok();
    let params = json!({"import": import});
    let job = jobs::queue(setup, &mut tx, tenant, ImportJob::NAME, &params, total).await?;
    setup.commit(tx).await?;
    Ok(job)
}
