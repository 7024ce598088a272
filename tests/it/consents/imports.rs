//! A list that is cut again and again: every row is recorded once, and what cannot be taken is told row by row.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use vestibule::consent::import::{ImportJob, Importing};
use vestibule::consent::pseudonym::Pseudonyms;
use vestibule::consent::rows::Format;
use vestibule::jobs::{JobKind, Runner, Step, StepError, Traffic, Wake};
use vestibule::storage::jobs::{self, Job, JobState};
use vestibule::storage::{StorageError, Tx};
use vestibule_tests::{for_each_database, until};

use super::{at_most, records, shop, verified};
use crate::ingest::desk::{Desk, text};

/// Fails every other step after its work, as a crash before the commit does.
#[derive(Debug)]
struct Cut(ImportJob, AtomicI64);

impl JobKind for Cut {
    fn name(&self) -> &'static str {
        ImportJob::NAME
    }

    fn step<'a>(&'a self, tx: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Step, StepError>> {
        async move {
            let step = self.0.step(tx, job).await?;
            match self.1.fetch_add(1, Ordering::SeqCst) % 2 {
                0 => Err(StorageError::Raced.into()),
                _ => Ok(step),
            }
        }
        .boxed()
    }
}

/// Runs a kind of job until this one is over.
pub(crate) async fn run(desk: &Desk, kind: Arc<dyn JobKind>, job: &Job) -> Job {
    let runner = Runner {
        db: desk.db.clone(),
        owned: desk.owned(),
        clock: desk.clock.clone(),
        kinds: vec![kind],
        wake: Wake::default(),
        traffic: Traffic::default(),
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(runner.run(stop.clone()));
    let over = until("the job is over", async || {
        let mut tx = desk.db.read().await.expect("a transaction");
        let job = jobs::job(&mut tx, job.tenant, job.id).await.expect("a job");
        job.filter(|job| !job.state.is_open())
    })
    .await;
    stop.cancel();
    running.await.expect("the runner ends");
    over
}

#[tokio::test]
async fn a_list_that_is_cut_has_every_row_once() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        // Known already, and out: a list lifts nothing.
        desk.hear(&[text(
            "wamid.1",
            Some("447700900001"),
            None,
            desk.ago(900),
            "STOP",
        )])
        .await;
        let tenant = shop(&database).await;
        let mut list = String::from("phone,scope,status,at,wording,wording_version,channel\n");
        let at = desk.at(desk.ago(100));
        for n in 1..=700 {
            let scope = if n % 50 == 0 {
                "everything"
            } else {
                "marketing"
            };
            list += &format!(
                "+44 7700 900{:03},{scope},,{at},\"Yes, \"\"please\"\"\",v2,form\n",
                n % 350
            );
        }
        let mut importing = Importing::begin(&desk.setup, tenant, Format::Csv, &Traffic::default())
            .await
            .expect("begun");
        for chunk in list.as_bytes().chunks(777) {
            importing.take(chunk).await.expect("taken");
        }
        let job = importing.finish(false).await.expect("a job");
        let kind = Cut(
            ImportJob {
                ids: desk.ids.clone(),
                clock: desk.clock.clone(),
                pseudonyms: Pseudonyms::new(desk.setup.keyring.pseudonym_key()),
            },
            AtomicI64::new(0),
        );
        let over = run(&desk, Arc::new(kind), &job).await;
        assert_eq!(over.state, JobState::Done, "{over:?}");
        assert_eq!((over.done, over.rejected), (700, 14));
        let result: serde_json::Value = serde_json::from_str(&over.result).expect("JSON");
        assert_eq!(result["recorded"], 686);
        assert!(at_most(&result["contacts_made"], 349), "{result}");
        let once = "SELECT COUNT(*) FROM consent_record WHERE channel = 'import'";
        assert_eq!(database.count(once).await, 686);
        // 343 numbers, each twice; the one that is known is not made again.
        let people = "SELECT COUNT(*) FROM contact WHERE phone LIKE '447700900%'";
        assert_eq!(database.count(people).await, 343);
        assert_eq!(
            database
                .count("SELECT COUNT(*) FROM consent WHERE marketing_given_at > 0")
                .await,
            343
        );
        assert_eq!(
            database
                .count("SELECT COUNT(*) FROM consent WHERE opt_out = 2")
                .await,
            1
        );
        assert_eq!(
            database.count("SELECT COUNT(*) FROM consent_import").await,
            0
        );
        assert_eq!(
            database.count("SELECT COUNT(*) FROM consent_wording").await,
            1
        );
        let why = database
            .texts("SELECT reason FROM job_reject ORDER BY ordinal")
            .await;
        assert_eq!(
            why[0],
            "scope must be all, marketing, utility or topic:NAME"
        );
        assert!(verified(&desk, tenant).await.faults.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_says_what_would_become_of_it_and_a_broken_list_leaves_nothing() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let tenant = shop(&database).await;
        let begin = async || Importing::begin(&desk.setup, tenant, Format::JsonLines, &Traffic::default()).await.expect("begun");
        let rows = "{\"phone\":\"+447700900001\",\"scope\":\"all\",\"at\":\"2026-01-01T00:00:00Z\"}\n{\"phone\":\"?\",\"scope\":\"all\",\"at\":\"2999-01-01T00:00:00Z\"}\nno json\n{\"scope\":\"all\",\"at\":\"2026-01-01T00:00:00Z\"}\n{\"external_id\":\"nobody\",\"scope\":\"topic:none\",\"at\":\"2026-01-01T00:00:00Z\"}";
        let mut importing = begin().await;
        importing.take(rows.as_bytes()).await.expect("taken");
        let job = importing.finish(true).await.expect("a job");
        let kind = ImportJob {
            ids: desk.ids.clone(),
            clock: desk.clock.clone(),
            pseudonyms: Pseudonyms::new(desk.setup.keyring.pseudonym_key()),
        };
        let over = run(&desk, Arc::new(kind), &job).await;
        let result: serde_json::Value = serde_json::from_str(&over.result).expect("JSON");
        assert_eq!((&result["would_record"], &result["dry_run"]), (&1.into(), &true.into()));
        let why = database.texts("SELECT CAST(ordinal AS TEXT) || ': ' || reason FROM job_reject ORDER BY ordinal").await;
        assert_eq!(why[0], "2: at lies in the future; phone must be a phone number with its country code");
        assert!(why[1].starts_with("3: expected"), "{why:?}");
        assert_eq!(why[2], "4: one of phone, external_id and contact must be given");
        assert_eq!(why[3], "5: scope names a topic that the tenant does not have");
        assert_eq!(records(&database).await, [""; 0]);
        assert_eq!(database.count("SELECT COUNT(*) FROM contact").await, 0);
        let mut broken = begin().await;
        let many = "{\"phone\":\"+447700900001\",\"scope\":\"all\",\"at\":\"2026-01-01T00:00:00Z\"}\n".repeat(300);
        broken.take(many.as_bytes()).await.expect("taken");
        let refused = broken.take(&[b'{', 0xff, b'\n']).await.expect_err("refused");
        assert_eq!(refused.to_string(), "row 301 is not UTF-8");
        assert_eq!(database.count("SELECT COUNT(*) FROM consent_import").await, 0);
        let mut halved = begin().await;
        halved.take(many.as_bytes()).await.expect("taken");
        // As PostgreSQL may come back after a crash: without the last commits.
        database.execute("DELETE FROM consent_import WHERE piece > 0").await;
        let refused = halved.finish(false).await.expect_err("refused");
        assert!(refused.to_string().contains("send it again"), "{refused}");
        assert_eq!(database.count("SELECT COUNT(*) FROM consent_import").await, 0);
    })
    .await;
}

/// Rows of the long list: a few, or as many as `VESTIBULE_IMPORT_ROWS` says (docs/testing.md).
#[expect(
    clippy::disallowed_methods,
    reason = "the size of the test is whoever runs it's to say"
)]
fn long() -> usize {
    let asked = std::env::var("VESTIBULE_IMPORT_ROWS").ok();
    asked.and_then(|rows| rows.parse().ok()).unwrap_or(2_000)
}

/// What the process holds in memory, in MiB; 0 where it cannot be told.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.unwrap_or(0_u64) >> 10
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a measurement")]
async fn a_long_list_is_kept_as_it_comes_and_recorded_whole() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let (tenant, rows, before) = (shop(&database).await, long(), resident_mib());
        let begun = std::time::Instant::now();
        let mut importing = Importing::begin(&desk.setup, tenant, Format::Csv, &Traffic::default()).await.expect("begun");
        importing.take(b"phone,scope,at,wording,wording_version\n").await.expect("taken");
        for n in 0..rows {
            let row = format!("+4915{n:09},marketing,2026-01-01T00:00:00Z,Yes the shop may write to me,1\n");
            importing.take(row.as_bytes()).await.expect("taken");
        }
        let job = importing.finish(false).await.expect("a job");
        let (kept, in_between) = (begun.elapsed(), resident_mib());
        let kind = ImportJob {
            ids: desk.ids.clone(),
            clock: desk.clock.clone(),
            pseudonyms: Pseudonyms::new(desk.setup.keyring.pseudonym_key()),
        };
        let over = run(&desk, Arc::new(kind), &job).await;
        let (all, after) = (begun.elapsed(), resident_mib());
        eprintln!("{rows} rows: kept in {kept:?}, recorded by {all:?}; {before} MiB, {in_between} MiB, {after} MiB");
        assert_eq!((over.done, over.rejected), (i64::try_from(rows).expect("a count"), 0), "{over:?}");
        let count = database.count("SELECT COUNT(*) FROM consent WHERE marketing_given_at > 0").await;
        assert_eq!(count, over.done);
    })
    .await;
}
