//! The place of a node, when the bucket of the job that has it changes hands. The child cannot be started here.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::*;
use crate::domain::IdGenerator;
use crate::domain::time::ManualClock;
use crate::ownership::OwnedBuckets;
use crate::secrets::Keyring;
use crate::storage::{OpenOptions, open};

const JOB: JobId = JobId::from_raw(77);

struct Place {
    _folder: tempfile::TempDir,
    owned: watch::Sender<Arc<OwnedBuckets>>,
    kind: ReplayJob,
}

/// This node has the job's bucket for this time, or not.
fn owned(epoch: Option<i64>) -> Arc<OwnedBuckets> {
    let bucket = Bucket::spread(JOB.raw());
    let leases: BTreeMap<_, _> = epoch.map(|epoch| (bucket, epoch)).into_iter().collect();
    Arc::new(OwnedBuckets { leases })
}

impl Place {
    /// A replay is under way, of a job whose bucket this node has.
    async fn taken() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("db").display());
        let db = open(&OpenOptions::new(url)).await.expect("a database");
        let keyring = Keyring::of_file(folder.path().join("keys.toml")).expect("keys are made");
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_795_000_000)));
        let ids = IdGenerator::new(1, Timestamp::ZERO);
        let setup = SetupContext::new(db, Arc::new(keyring), clock, ids);
        let (sender, watched) = watch::channel(owned(Some(1)));
        let kind = ReplayJob::new(
            setup,
            watched,
            "/nonexistent".into(),
            Limits::default(),
            CompileLimits::default(),
        );
        let place = Self {
            _folder: folder,
            owned: sender,
            kind,
        };
        let (_, begins) = place.kind.look(&place.job()).expect("begun");
        assert!(begins);
        assert_eq!(place.kind.full(), Some(vec![JOB]));
        place
    }

    fn job(&self) -> Job {
        let now = self.kind.setup.clock.now();
        let asked = NewReplay {
            installation: InstallationId::from_raw(5),
            candidate: "ab".to_owned(),
            since: now,
            until: None,
            limit: 1,
            bounds: Vec::new(),
        };
        Job {
            id: JOB,
            tenant: TenantId::from_raw(7),
            bucket: Bucket::spread(JOB.raw()),
            kind: ReplayJob::NAME.to_owned(),
            state: stored::JobState::Running,
            params: json!(asked).to_string(),
            progress: String::new(),
            done: 0,
            total: None,
            rejected: 0,
            result: String::new(),
            problem: String::new(),
            cancel: false,
            attempts: 0,
            created_by: String::new(),
            created_at: now,
            changed_at: now,
            ended_at: None,
            due_at: now,
        }
    }
}

#[tokio::test]
async fn a_job_whose_bucket_another_node_has_gives_the_place_back_at_once() {
    let place = Place::taken().await;
    let task = lock(&place.kind.under_way)[&JOB].task.clone();
    place.owned.send_replace(owned(None));
    assert_eq!(place.kind.full(), None);
    // Its child ends with it.
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_bucket_that_came_back_begins_anew_what_another_node_may_have_ended() {
    let place = Place::taken().await;
    place.owned.send_replace(owned(Some(3)));
    assert_eq!(place.kind.full(), None);
    let (_, begins) = place.kind.look(&place.job()).expect("begun");
    assert!(begins);
    assert_eq!(place.kind.full(), Some(vec![JOB]));
}

#[tokio::test]
async fn other_buckets_may_come_and_go() {
    let place = Place::taken().await;
    let mut more = (*owned(Some(1))).clone();
    let other = Bucket::all().find(|bucket| *bucket != Bucket::spread(JOB.raw()));
    more.leases.insert(other.expect("another bucket"), 9);
    place.owned.send_replace(Arc::new(more));
    assert_eq!(place.kind.full(), Some(vec![JOB]));
    let (_, begins) = place.kind.look(&place.job()).expect("looked at");
    assert!(!begins);
}
