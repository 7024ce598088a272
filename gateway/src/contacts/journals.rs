//! Erasing what the journal has of a person, and what reports of replays have out of it: a job, because turns are found by
//! walking through all of them.
//!
//! [`erase_step`] is for whoever erases more of a person in a job of their own.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::unknown;
use crate::domain::{ContactId, ConversationId, TenantId};
use crate::jobs::{self, JobKind, Step, StepError};
use crate::replay::words;
use crate::storage::jobs::Job;
use crate::storage::journals::{self, Erased};
use crate::storage::{StorageError, Tx, contacts, person};
use crate::tenants::{SetupContext, SetupError};

/// The kind of job.
#[derive(Debug)]
pub struct EraseJournalsJob;

#[derive(Debug, Serialize, Deserialize)]
struct Params {
    /// With those that turned out to be the same person.
    contacts: Vec<ContactId>,
}

impl EraseJournalsJob {
    pub const NAME: &'static str = "contacts.erase_journals";

    async fn step(tx: &mut Tx, job: &Job) -> Result<Step, StepError> {
        let params: Params = serde_json::from_str(&job.params)
            .map_err(|error| StepError::Refused(format!("the job names no contact: {error}")))?;
        let progress: Value = serde_json::from_str(&job.progress).unwrap_or_default();
        match progress["reports"].as_i64() {
            Some(after) => Self::reports(tx, job, &params, (after, &progress)).await,
            None => Self::turns(tx, job, &params, progress.as_i64().unwrap_or(0)).await,
        }
    }

    async fn turns(tx: &mut Tx, job: &Job, params: &Params, after: i64) -> Result<Step, StepError> {
        let Erased { turns, next } = erase_step(tx, job.tenant, &params.contacts, after).await?;
        Ok(Step {
            done: turns,
            // Reports come last: a replay that ends meanwhile finds the journals gone.
            progress: next.map_or(json!({"reports": 0}), Value::from),
            ..Step::default()
        })
    }

    async fn reports(
        tx: &mut Tx,
        job: &Job,
        params: &Params,
        (after, progress): (i64, &Value),
    ) -> Result<Step, StepError> {
        let mut whose = Vec::new();
        for contact in &params.contacts {
            whose.extend(person::conversations(tx, job.tenant, *contact).await?);
        }
        let whose: Vec<_> = whose.into_iter().map(ConversationId::from_raw).collect();
        let erased = words::erase_step(tx, job.tenant, &whose, after).await?;
        let found = progress["found"].as_i64().unwrap_or(0) + erased.reports;
        let result = json!({"turns": job.done, "reports": found});
        Ok(Step {
            progress: json!({"reports": erased.next, "found": found}),
            result: erased.next.is_none().then_some(result),
            ..Step::default()
        })
    }
}

impl JobKind for EraseJournalsJob {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn step<'a>(&'a self, tx: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Step, StepError>> {
        Self::step(tx, job).boxed()
    }
}

/// Erases some of the journals of these contacts, after a turn; `next` is where to go on. Doing it again changes nothing.
pub async fn erase_step(
    tx: &mut Tx,
    tenant: TenantId,
    contacts: &[ContactId],
    after: i64,
) -> Result<Erased, StorageError> {
    journals::erase(tx, tenant, contacts, after).await
}

/// Queues the job that erases a person's journals: up to the last turn that there is when it comes to its end.
pub async fn erase_journals(
    setup: &SetupContext,
    tenant: TenantId,
    contact: ContactId,
) -> Result<Job, SetupError> {
    let mut tx = setup.db.read().await?;
    let known = contacts::find(&mut tx, tenant, contact).await?;
    known.ok_or_else(|| unknown(contact))?;
    let contacts = person::all_of(&mut tx, tenant, contact).await?;
    drop(tx);
    let mut tx = setup.db.begin().await?;
    let name = EraseJournalsJob::NAME;
    let params = json!(Params { contacts });
    let job = jobs::queue(setup, &mut tx, tenant, name, &params, None).await?;
    let became = Some(json!({"job": job.id}));
    setup
        .record(
            &mut tx,
            tenant,
            "contact.erase_journals",
            contact,
            None,
            became,
        )
        .await?;
    setup.commit(tx).await?;
    Ok(job)
}
