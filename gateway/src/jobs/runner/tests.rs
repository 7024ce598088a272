//! A runner's single steps, over a real database.

use std::collections::BTreeMap;
use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use tokio::sync::watch;

use super::*;
use crate::domain::IdGenerator;
use crate::domain::time::ManualClock;
use crate::ownership::OwnedBuckets;
use crate::secrets::Keyring;
use crate::storage::{OpenOptions, Tx, migrate, nodes, open};
use crate::sync::lock;
use crate::tenants::SetupContext;

const TENANT: TenantId = TenantId::from_raw(7);

/// What works beside its steps, and is told when a job is over.
#[derive(Debug, Default)]
struct Beside {
    ended: Mutex<Vec<(JobId, JobState)>>,
}

impl JobKind for Beside {
    fn name(&self) -> &'static str {
        "test.beside"
    }

    fn step<'a>(&'a self, _: &'a mut Tx, _: &'a Job) -> BoxFuture<'a, Result<Step, StepError>> {
        std::future::ready(Ok(Step::default())).boxed()
    }

    fn ended<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), StorageError>> {
        lock(&self.ended).push((job.id, job.state));
        std::future::ready(Ok(())).boxed()
    }
}

/// A database of which one node has every bucket, and somebody who queues jobs.
async fn place(folder: &tempfile::TempDir) -> (SetupContext, Owned) {
    let now = Timestamp::from_secs(1_795_000_000);
    let url = format!("sqlite:{}", folder.path().join("db").display());
    let db = open(&OpenOptions::new(url)).await.expect("a database");
    migrate::migrate(&db, now).await.expect("migrated");
    let hour = Duration::from_secs(3_600);
    let slot = nodes::lease_slot(&db, "test", hour).await;
    let slot = slot.expect("a database").expect("a free slot").slot;
    let leases = buckets::take(&db, slot.number, "test", 256).await;
    let leases: BTreeMap<_, _> = leases
        .expect("buckets")
        .iter()
        .map(|lease| (lease.bucket, lease.epoch))
        .collect();
    let (_, owned) = watch::channel(Arc::new(OwnedBuckets { leases }));
    let keyring = Keyring::of_file(folder.path().join("keys.toml")).expect("keys are made");
    let clock = Arc::new(ManualClock::at(now));
    let ids = IdGenerator::new(slot.number, slot.id_floor);
    let setup = SetupContext::new(db, Arc::new(keyring), clock, ids);
    (setup, owned)
}

#[tokio::test]
async fn a_job_that_another_node_ended_is_over_for_what_works_beside_its_steps_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let (setup, owned) = place(&folder).await;
    let kind = Arc::new(Beside::default());
    let runner = Runner {
        db: setup.db.clone(),
        owned,
        clock: setup.clock.clone(),
        kinds: vec![kind.clone()],
        wake: Wake::default(),
        traffic: Traffic::default(),
    };
    let job = super::super::create(&setup, TENANT, "test.beside", &json!({}), None).await;
    let mut job = job.expect("a job");
    let step = async |job: &Job| runner.step(TENANT, job.id, Fetched::default()).await;
    step(&job).await.expect("a step");
    assert!(lock(&kind.ended).is_empty(), "it goes on");
    // Between the round's look and this job's step.
    end(&mut job, JobState::Done, setup.clock.now());
    let mut tx = setup.db.begin().await.expect("a transaction");
    jobs::update_job(&mut tx, TENANT, &job)
        .await
        .expect("written");
    tx.commit().await.expect("committed");
    step(&job).await.expect("nothing to do");
    assert_eq!(*lock(&kind.ended), [(job.id, JobState::Done)]);
}
