//! Verifying a chain as a job: for the API, where nobody waits for a long chain with a connection open.

use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::LEDGER;
use super::chain::ChainKey;
use super::verify::{Fault, LOST_HEAD, Verification, holds_head, read_head, write_head};
use crate::jobs::{JobKind, Step, StepError};
use crate::storage::audit::{Ledger, SealHead};
use crate::storage::jobs::{Job, Reject};
use crate::storage::{Tx, audit};

/// Its faults are the job's rejects: place in the chain, what is wrong, the entry.
pub struct VerifyJob(pub ChainKey);

impl VerifyJob {
    pub const NAME: &'static str = "audit.verify";

    async fn step(&self, tx: &mut Tx, job: &Job) -> Result<Step, StepError> {
        let mut verification: Verification = resumed(job)?;
        // Read before the entries: what is sealed meanwhile lies beyond it.
        let head = audit::head(tx, job.tenant, LEDGER).await?;
        let (entries, mut faults) = verification.step(tx, &self.0, job.tenant).await?;
        let over = verification.seq >= head.seq || entries == 0;
        if over {
            faults.extend(verification.end(&head));
            faults.extend(self.known_head(tx, job).await?);
        }
        let looked = Looked {
            rows: entries,
            faults,
            over,
        };
        Ok(told(job, &head, &verification, "entry", &looked))
    }
}

impl VerifyJob {
    /// What the job is asked to find again.
    async fn known_head(&self, tx: &mut Tx, job: &Job) -> Result<Option<Fault>, StepError> {
        let params: Value = serde_json::from_str(&job.params).unwrap_or_default();
        let Some(known) = params["head"].as_str().and_then(read_head) else {
            return Ok(None);
        };
        let there = holds_head(tx, job.tenant, Ledger::Audit, &known).await?;
        Ok((!there).then_some(Fault {
            seq: known.seq,
            entry: None,
            what: LOST_HEAD,
        }))
    }
}

impl std::fmt::Debug for VerifyJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VerifyJob")
    }
}

impl JobKind for VerifyJob {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn step<'a>(&'a self, tx: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Step, StepError>> {
        self.step(tx, job).boxed()
    }
}

/// Where a verification of any ledger goes on.
pub(crate) fn resumed<V: Default + DeserializeOwned>(job: &Job) -> Result<V, StepError> {
    match job.progress.as_str() {
        "" => Ok(V::default()),
        progress => {
            serde_json::from_str(progress).map_err(|error| StepError::Refused(error.to_string()))
        }
    }
}

/// What one step of a verification looked at.
pub(crate) struct Looked {
    pub rows: usize,
    pub faults: Vec<Fault>,
    pub over: bool,
}

/// It as a step of its job. `row`: what a row of this ledger is called.
pub(crate) fn told(
    job: &Job,
    head: &SealHead,
    verification: &impl Serialize,
    row: &str,
    looked: &Looked,
) -> Step {
    let faults = &looked.faults;
    let found = job.rejected + i64::try_from(faults.len()).unwrap_or(i64::MAX);
    let reject = |(ordinal, fault): (i64, &Fault)| Reject {
        ordinal,
        reason: fault.what.to_owned(),
        item: json!({"seq": fault.seq, (row): fault.entry}).to_string(),
    };
    let result = || json!({"intact": found == 0, "faults": found, "head": write_head(head)});
    Step {
        done: i64::try_from(looked.rows).unwrap_or(i64::MAX),
        total: Some(head.seq),
        rejects: (job.rejected + 1..).zip(faults).map(reject).collect(),
        result: looked.over.then(result),
        progress: json!(verification),
        wait: None,
    }
}
