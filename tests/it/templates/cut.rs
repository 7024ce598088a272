//! A sync whose process is killed between pages, again and again: no row is doubled and none is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use vestibule::jobs::{Fetched, JobKind, Runner, Step, StepError, Traffic, Wake};
use vestibule::simulator::TemplateStatus;
use vestibule::storage::Tx;
use vestibule::storage::jobs::{self, Job, JobState};
use vestibule::templates::SyncJob;
use vestibule_tests::{for_each_database, until};

use super::shelf::{Shelf, spec};

/// Three pages.
const MANY: usize = 230;

/// Every other step its process dies, with the page taken in and nothing committed.
#[derive(Debug)]
struct Mortal {
    sync: SyncJob,
    steps: AtomicUsize,
    dying: Notify,
}

impl JobKind for Mortal {
    fn name(&self) -> &'static str {
        SyncJob::NAME
    }

    fn fetches(&self) -> bool {
        true
    }

    fn fetch<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Fetched> {
        self.sync.fetch(job)
    }

    fn step<'a>(&'a self, tx: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Step, StepError>> {
        self.step_with(tx, job, Fetched::default())
    }

    fn step_with<'a>(
        &'a self,
        tx: &'a mut Tx,
        job: &'a Job,
        fetched: Fetched,
    ) -> BoxFuture<'a, Result<Step, StepError>> {
        async move {
            let step = self.sync.step_with(tx, job, fetched).await?;
            let done = self.steps.fetch_add(1, Ordering::SeqCst);
            if done.is_multiple_of(2) {
                self.dying.notify_one();
                std::future::pending::<()>().await;
            }
            Ok(step)
        }
        .boxed()
    }
}

/// A whole sync by one process after the other; answers the job at its end and how many died.
async fn sync(shelf: &Shelf) -> (Job, usize) {
    let job = shelf.begin().await;
    let mortal = Arc::new(Mortal {
        sync: shelf.job(),
        steps: AtomicUsize::new(0),
        dying: Notify::new(),
    });
    for died in 0.. {
        let runner = Runner {
            db: shelf.desk.db.clone(),
            owned: shelf.desk.owned(),
            clock: shelf.desk.clock.clone(),
            kinds: vec![mortal.clone()],
            wake: Wake::default(),
            traffic: Traffic::default(),
        };
        let stop = CancellationToken::new();
        let running = tokio::spawn(runner.run(stop.clone()));
        tokio::select! {
            () = mortal.dying.notified() => {
                running.abort();
                let _ = running.await;
            }
            over = over(shelf, &job) => {
                stop.cancel();
                running.await.expect("the runner ends");
                return (over, died);
            }
        }
    }
    unreachable!("there is no end of numbers")
}

async fn over(shelf: &Shelf, job: &Job) -> Job {
    until("the sync is over", async || {
        let mut tx = shelf.desk.db.read().await.expect("a transaction");
        let job = jobs::job(&mut tx, job.tenant, job.id).await.expect("a job");
        job.filter(|job| !job.state.is_open())
    })
    .await
}

#[tokio::test]
async fn a_sync_that_is_killed_between_pages_has_every_template_once() {
    for_each_database(async |database| {
        let templates = (0..MANY).map(|n| spec(&format!("t_{n:04}"), "Your order is here."));
        let shelf = Shelf::with(&database, templates.collect()).await;
        let rows = i64::try_from(MANY).expect("a few");
        let (job, died) = sync(&shelf).await;
        let result: Value = serde_json::from_str(&job.result).expect("JSON");
        assert_eq!((job.state, job.done), (JobState::Done, rows), "{job:?}");
        assert!(died >= 4, "each page once, and the end: {died}");
        assert_eq!(
            (&result["new"], &result["gone"]),
            (&rows.into(), &0.into()),
            "{result}"
        );
        let once =
            "SELECT COUNT(*) FROM (SELECT DISTINCT account, name, language FROM template) AS t";
        assert_eq!(database.count(once).await, rows);
        assert_eq!(database.count("SELECT COUNT(*) FROM template").await, rows);
        let told = "SELECT COUNT(*) FROM template_history";
        assert_eq!(database.count(told).await, rows);

        // Cut as often, a second pass finds what is news, and once.
        shelf
            .meta
            .put_template(spec("t_0150", "Your order has left our house."));
        let mut gone = spec("t_0229", "Your order is here.");
        gone.status = TemplateStatus::Deleted;
        shelf.meta.put_template(gone);
        shelf
            .meta
            .put_template(spec("t_0230", "Your order is late."));
        let (job, _) = sync(&shelf).await;
        let result: Value = serde_json::from_str(&job.result).expect("JSON");
        let found = ["new", "changed", "gone"].map(|word| result[word].as_i64());
        assert_eq!(found, [Some(1), Some(1), Some(1)], "{result}");
        assert_eq!(
            database.count("SELECT COUNT(*) FROM template").await,
            rows + 1
        );
        assert_eq!(database.count(told).await, rows + 3);
    })
    .await;
}
