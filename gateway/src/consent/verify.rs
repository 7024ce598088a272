//! Verifying the ledger: every sealed record read again and compared with what was sealed.
//!
//! A record without its value is good only if a later record of the same person says that they were erased. A wording is
//! bound by its digest, so a changed one is found with every record that names it.

use std::collections::{HashMap, HashSet};

use futures::FutureExt;
use futures::future::BoxFuture;

use super::LEDGER;
use super::record::{commitment, digest_of, value_hash};
use crate::audit::chain::{ChainKey, Link};
use crate::audit::verify_job::{Looked, resumed, told};
use crate::audit::{Fault, Walk};
use crate::domain::{ConsentId, ConsentStatus, ContactId, TenantId};
use crate::jobs::{JobKind, Step, StepError};
use crate::storage::audit::{self, SealHead};
use crate::storage::consents::{self, ConsentRecord};
use crate::storage::jobs::Job;
use crate::storage::{Db, Result, Tx};

/// Records read at once.
const STEP: i64 = 500;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    pub records: u64,
    pub faults: Vec<Fault>,
    pub head: SealHead,
}

/// A verification on its way.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Verification(Walk);

impl Verification {
    /// Looks at the next records. Answers how many there were, and what is wrong with them.
    pub async fn step(
        &mut self,
        tx: &mut Tx,
        key: &ChainKey,
        tenant: TenantId,
    ) -> Result<(usize, Vec<Fault>)> {
        let records = consents::sealed(tx, tenant, self.0.seq, STEP).await?;
        let read: Vec<&ConsentRecord> = records.iter().flatten().collect();
        let erased = erasures(tx, tenant, &read).await?;
        let wordings = unsound_wordings(tx, tenant, &read).await?;
        let mut faults = Vec::new();
        for record in &records {
            let found = match record {
                Ok(record) => {
                    let what = content(record, &erased, &wordings);
                    let link = Link {
                        seq: record.seq,
                        row: record.id.raw(),
                        commitment: &record.commitment,
                    };
                    let name = record.id.to_string();
                    self.0
                        .take(key, LEDGER, tenant, link, &record.mac, (name, what))
                }
                Err((seq, row)) => {
                    self.0.seq = *seq;
                    Some(Fault {
                        seq: *seq,
                        entry: Some(ConsentId::from_raw(*row).to_string()),
                        what: "it has words that no record has",
                    })
                }
            };
            faults.extend(found);
        }
        Ok((records.len(), faults))
    }
}

/// What is wrong with what a record says, if anything.
fn content(
    record: &ConsentRecord,
    erased: &HashMap<ContactId, ConsentId>,
    unsound: &HashSet<Vec<u8>>,
) -> Option<&'static str> {
    let is_erased = record.value.is_empty() && record.salt.is_empty();
    let may_be = erased
        .get(&record.contact)
        .is_some_and(|by| record.id < *by);
    if commitment(record) != record.commitment {
        Some("its content is not what was sealed")
    } else if is_erased && !may_be {
        Some("what it said is gone, and no record says that the person was erased")
    } else if !is_erased && value_hash(&record.salt, &record.value) != record.value_hash {
        Some("its evidence is not what was sealed")
    } else if unsound.contains(&record.wording) {
        Some("the wording that it names is not what was shown")
    } else {
        None
    }
}

/// The erasures of those whose records say nothing any more.
async fn erasures(
    tx: &mut Tx,
    tenant: TenantId,
    records: &[&ConsentRecord],
) -> Result<HashMap<ContactId, ConsentId>> {
    let silent = records.iter().filter(|record| record.value.is_empty());
    let silent: HashSet<ContactId> = silent
        .filter(|record| record.status != ConsentStatus::Erased)
        .map(|record| record.contact)
        .collect();
    let mut found = HashMap::new();
    for contact in silent {
        if let Some(id) = consents::erasure_of(tx, tenant, contact).await? {
            found.insert(contact, id);
        }
    }
    Ok(found)
}

async fn unsound_wordings(
    tx: &mut Tx,
    tenant: TenantId,
    records: &[&ConsentRecord],
) -> Result<HashSet<Vec<u8>>> {
    let named = records.iter().map(|record| &record.wording);
    let named: HashSet<&Vec<u8>> = named.filter(|digest| !digest.is_empty()).collect();
    let mut unsound = HashSet::new();
    for digest in named {
        let found = consents::wording(tx, tenant, digest).await?;
        let sound = found.is_some_and(|wording| {
            digest_of(&wording.version, &wording.language, &wording.body) == *digest
        });
        if !sound {
            unsound.insert(digest.clone());
        }
    }
    Ok(unsound)
}

/// Verifies a tenant's whole ledger.
pub async fn verify(db: &Db, key: &ChainKey, tenant: TenantId) -> Result<Report> {
    let mut tx = db.read().await?;
    let head = audit::head(&mut tx, tenant, LEDGER).await?;
    let mut verification = Verification::default();
    let mut report = Report {
        head: head.clone(),
        ..Report::default()
    };
    loop {
        let (records, faults) = verification.step(&mut tx, key, tenant).await?;
        report.records += records as u64;
        report.faults.extend(faults);
        if records < usize::try_from(STEP).unwrap_or(usize::MAX) {
            break;
        }
    }
    report.faults.extend(verification.0.end(&head));
    Ok(report)
}

/// The same as a job, for the API. Its faults are the job's rejects.
pub struct VerifyJob(pub ChainKey);

impl VerifyJob {
    pub const NAME: &'static str = "consent.verify";

    async fn step(&self, tx: &mut Tx, job: &Job) -> Result<Step, StepError> {
        let mut verification: Verification = resumed(job)?;
        // Read before the records: what is sealed meanwhile lies beyond it.
        let head = audit::head(tx, job.tenant, LEDGER).await?;
        let (records, mut faults) = verification.step(tx, &self.0, job.tenant).await?;
        let over = verification.0.seq >= head.seq || records == 0;
        if over {
            faults.extend(verification.0.end(&head));
        }
        let looked = Looked {
            rows: records,
            faults,
            over,
        };
        Ok(told(job, &head, &verification, "record", &looked))
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
