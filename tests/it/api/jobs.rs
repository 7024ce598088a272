//! Jobs: steps that are committed with how far they got, cancelled and resumed without doing anything twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use vestibule::clock::SystemClock;
use vestibule::domain::{IdGenerator, JobId, TenantId};
use vestibule::jobs::{self, JobKind, Runner, Step, StepError, Traffic, Wake};
use vestibule::ownership::OwnedBuckets;
use vestibule::storage::jobs::{Job, JobState, Reject};
use vestibule::storage::{self, StorageError, Tx, buckets, nodes};
use vestibule::tenants::{SetupContext, SetupError};
use vestibule_tests::{TestDatabase, for_each_database, keys_in, until};

/// Counts to the number in its params, rejects every third, and may be told to stumble.
#[derive(Debug, Default)]
struct Count {
    /// So many steps meet a bad moment of the database.
    stumbles: AtomicU32,
    /// In which states jobs ended.
    ended: Mutex<Vec<JobState>>,
    give_up: AtomicBool,
    stand_still: AtomicBool,
}

impl JobKind for Count {
    fn name(&self) -> &'static str {
        "test.count"
    }

    fn step<'a>(&'a self, _: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Step, StepError>> {
        async move {
            let left = |left: u32| left.checked_sub(1);
            if self
                .stumbles
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
                .is_ok()
            {
                return Err(StorageError::Corrupt("a bad moment".to_owned()).into());
            }
            let n: i64 = job.progress.parse().unwrap_or(0) + 1;
            if self.give_up.load(Ordering::SeqCst) && n > 2 {
                return Err(StepError::Refused("the third is one too many".to_owned()));
            }
            if self.stand_still.load(Ordering::SeqCst) {
                return Ok(Step {
                    progress: json!(n - 1),
                    ..Step::default()
                });
            }
            let last: i64 = job.params.parse().expect("a number");
            let reject = |n: i64| Reject {
                ordinal: n,
                reason: "a third".to_owned(),
                item: format!("item {n}"),
            };
            Ok(Step {
                done: 1,
                rejects: (n % 3 == 0).then(|| reject(n)).into_iter().collect(),
                progress: json!(n),
                result: (n == last).then(|| json!({"counted": n})),
                ..Step::default()
            })
        }
        .boxed()
    }

    fn ended<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), StorageError>> {
        self.ended.lock().expect("a list").push(job.state);
        std::future::ready(Ok(())).boxed()
    }
}

/// A runner with the kind above, on buckets of its own; no node beside it.
struct Works {
    setup: SetupContext,
    tenant: TenantId,
    kind: Arc<Count>,
    wake: Wake,
    owned: watch::Sender<Arc<OwnedBuckets>>,
    slot: u16,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Works {
    async fn on(database: &TestDatabase) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = database.open().await;
        let slot = nodes::lease_slot(&db, "test", Duration::from_secs(3600)).await;
        let slot = slot.expect("a database").expect("a free slot").slot;
        let ids = IdGenerator::new(slot.number, slot.id_floor);
        let (keyring, clock) = (keys_in(folder.path()), Arc::new(SystemClock));
        let setup = SetupContext::new(db.clone(), keyring, clock, ids);
        let (owned, watched) = watch::channel(Arc::default());
        let (kind, wake) = (Arc::new(Count::default()), Wake::default());
        let runner = Runner {
            db,
            owned: watched,
            clock: setup.clock.clone(),
            kinds: vec![kind.clone()],
            wake: wake.clone(),
            traffic: Traffic::default(),
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(runner.run(stop.clone()));
        let works = Self {
            setup,
            tenant: TenantId::from_raw(7),
            kind,
            wake,
            owned,
            slot: slot.number,
            stop,
            running,
            _folder: folder,
        };
        works.take_buckets().await;
        works
    }

    async fn take_buckets(&self) {
        let mut leases = BTreeMap::new();
        // A bucket whose lease a step is just reading is passed by.
        until("all buckets are taken", async || {
            let taken = buckets::take(&self.setup.db, self.slot, "test", 256).await;
            leases.extend(taken.expect("buckets").iter().map(|l| (l.bucket, l.epoch)));
            (leases.len() == 256).then_some(())
        })
        .await;
        self.owned.send_replace(Arc::new(OwnedBuckets { leases }));
    }

    async fn create(&self, kind: &'static str, to: i64) -> JobId {
        let job = jobs::create(&self.setup, self.tenant, kind, &json!(to), Some(to)).await;
        self.wake.now();
        job.expect("a job").id
    }

    async fn find(&self, job: JobId) -> Job {
        jobs::find(&self.setup, self.tenant, job)
            .await
            .expect("the job")
    }

    async fn comes_to(&self, job: JobId, state: JobState) -> Job {
        until(&format!("the job is {}", state.text()), async || {
            let job = self.find(job).await;
            (job.state == state).then_some(job)
        })
        .await
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.expect("it ends");
        self.setup.db.close().await;
    }
}

const COUNT: &str = "test.count";

#[tokio::test]
async fn a_job_is_done_step_by_step_and_its_rejects_can_be_read() {
    for_each_database(async |database| {
        let works = Works::on(&database).await;
        let (first, second) = (works.create(COUNT, 7).await, works.create(COUNT, 2).await);
        let done = works.comes_to(first, JobState::Done).await;
        assert_eq!((done.done, done.total, done.rejected), (7, Some(7), 2));
        assert_eq!(done.result, r#"{"counted":7}"#);
        let rejects = jobs::rejects(&works.setup, works.tenant, first, 0, 10)
            .await
            .expect("rejects");
        let items: Vec<&str> = rejects.iter().map(|reject| reject.item.as_str()).collect();
        assert_eq!(items, ["item 3", "item 6"]);
        works.comes_to(second, JobState::Done).await;
        let stranger = jobs::find(&works.setup, TenantId::from_raw(8), first).await;
        assert!(stranger.is_err());
        works.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_job_goes_on_where_it_stood() {
    for_each_database(async |database| {
        let works = Works::on(&database).await;
        works.kind.stand_still.store(true, Ordering::SeqCst);
        let job = works.create(COUNT, 4).await;
        works.comes_to(job, JobState::Running).await;
        jobs::cancel(&works.setup, works.tenant, job)
            .await
            .expect("told to stop");
        works.comes_to(job, JobState::Cancelled).await;
        assert!(works.find(job).await.ended_at.is_some());
        works.kind.stand_still.store(false, Ordering::SeqCst);
        jobs::resume(&works.setup, works.tenant, job)
            .await
            .expect("it goes on");
        works.wake.now();
        let done = works.comes_to(job, JobState::Done).await;
        assert_eq!((done.done, done.result.as_str()), (4, r#"{"counted":4}"#));
        let over = jobs::resume(&works.setup, works.tenant, job).await;
        assert!(over.is_err(), "what is done does not go on");
        works.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_step_that_stumbles_is_tried_again_and_one_that_refuses_fails_the_job() {
    for_each_database(async |database| {
        let works = Works::on(&database).await;
        works.kind.stumbles.store(1, Ordering::SeqCst);
        let job = works.create(COUNT, 3).await;
        let done = works.comes_to(job, JobState::Done).await;
        assert_eq!(done.done, 3);
        works.kind.give_up.store(true, Ordering::SeqCst);
        let job = works.create(COUNT, 3).await;
        let failed = works.comes_to(job, JobState::Failed).await;
        assert_eq!(
            (failed.done, failed.problem.as_str()),
            (2, "the third is one too many")
        );
        works.kind.give_up.store(false, Ordering::SeqCst);
        jobs::resume(&works.setup, works.tenant, job)
            .await
            .expect("it goes on");
        works.wake.now();
        assert_eq!(works.comes_to(job, JobState::Done).await.done, 3);
        let strange = works.create("test.unheard_of", 1).await;
        works.comes_to(strange, JobState::Failed).await;
        works.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_job_whose_steps_the_database_refuses_ends_and_its_kind_is_told() {
    for_each_database(async |database| {
        let works = Works::on(&database).await;
        works.kind.stumbles.store(5, Ordering::SeqCst);
        let job = works.create(COUNT, 3).await;
        until("it gives up", async || {
            works.wake.now();
            (works.find(job).await.state == JobState::Failed).then_some(())
        })
        .await;
        let problem = works.find(job).await.problem;
        assert!(
            problem.starts_with("the database refused a step"),
            "{problem}"
        );
        until("its kind is told", async || {
            let ended = works.kind.ended.lock().expect("a list");
            (*ended == [JobState::Failed]).then_some(())
        })
        .await;
        works.end().await;
    })
    .await;
}

#[tokio::test]
async fn who_lost_the_bucket_commits_no_step() {
    for_each_database(async |database| {
        let works = Works::on(&database).await;
        works.kind.stand_still.store(true, Ordering::SeqCst);
        let job = works.create(COUNT, 2).await;
        works.comes_to(job, JobState::Running).await;
        // As another node that took the buckets: what this one believes to own is no longer so.
        database
            .execute("UPDATE bucket_lease SET epoch = epoch + 1")
            .await;
        works.kind.stand_still.store(false, Ordering::SeqCst);
        works.wake.now();
        // A round that comes after it: this job is not seen as done by who lost its bucket.
        let before = works.find(job).await;
        for _ in 0..3 {
            works.wake.now();
            tokio::task::yield_now().await;
        }
        assert_eq!(works.find(job).await.done, before.done);
        // Its new owner goes on from the last step that was committed.
        database.execute("UPDATE bucket_lease SET slot = -1").await;
        works.take_buckets().await;
        works.wake.now();
        assert_eq!(works.comes_to(job, JobState::Done).await.done, 2);
        works.end().await;
    })
    .await;
}

#[tokio::test]
async fn jobs_that_are_long_over_go_with_their_rejects() {
    for_each_database(async |database| {
        let works = Works::on(&database).await;
        let over = works.create(COUNT, 3).await;
        works.comes_to(over, JobState::Done).await;
        works.kind.stand_still.store(true, Ordering::SeqCst);
        let open = works.create(COUNT, 3).await;
        works.comes_to(open, JobState::Running).await;
        let later = works.setup.clock.now().plus(Duration::from_secs(3600));
        let gone = storage::jobs::forget_all_tenants(&works.setup.db, later).await;
        assert_eq!(
            gone.expect("rows"),
            2,
            "the job that is over and its reject"
        );
        assert!(jobs::find(&works.setup, works.tenant, over).await.is_err());
        works.find(open).await;
        works.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_tenant_has_so_many_jobs_of_a_kind_open_and_any_number_of_erasures() {
    for_each_database(async |database| {
        let works = Works::on(&database).await;
        works.kind.stand_still.store(true, Ordering::SeqCst);
        let mut last = None;
        for _ in 0..jobs::OPEN_MOST {
            last = Some(works.create(COUNT, 3).await);
        }
        let more = async |tenant: i64, kind: &'static str| {
            let tenant = TenantId::from_raw(tenant);
            jobs::create(&works.setup, tenant, kind, &json!(3), None).await
        };
        let refused = more(7, COUNT).await.expect_err("one too many");
        assert!(
            matches!(
                refused,
                SetupError::TooMany {
                    most: jobs::OPEN_MOST,
                    ..
                }
            ),
            "{refused}"
        );
        more(8, COUNT).await.expect("another tenant's");
        more(7, "test.other").await.expect("another kind");
        for kind in ["consent.erase", "contacts.erase_journals"] {
            for _ in 0..=jobs::OPEN_MOST {
                more(7, kind)
                    .await
                    .expect("whoever is to be forgotten does not wait");
            }
        }
        // One that is over makes room, and whoever resumes it needs some.
        let last = last.expect("a job");
        jobs::cancel(&works.setup, works.tenant, last)
            .await
            .expect("cancelled");
        works.comes_to(last, JobState::Cancelled).await;
        more(7, COUNT).await.expect("there is room");
        let refused = jobs::resume(&works.setup, works.tenant, last).await;
        assert!(
            matches!(refused, Err(SetupError::TooMany { .. })),
            "{refused:?}"
        );
        works.end().await;
    })
    .await;
}
