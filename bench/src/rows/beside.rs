//! Long work beside traffic: what a consent import and a template sync cost whoever waits for a reply.
//!
//! Windows come in pairs within one run, traffic alone and traffic beside the work in turn, so that what else the machine does
//! is in both. The import is one job, cut between its windows and resumed; a sync is short, and each pair has one. A list that
//! arrives cannot be cut: its windows without it come before it, and both begin with a vacuum (PostgreSQL), because replies take the
//! longer the longer ago that was.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::turns::{Capacity, WARM_UP, Waits, match_up, warm};
use super::{Run, median, millis};
use crate::deployment::{Api, Deployment, Wish};
use crate::load::{Pace, drive, now};
use crate::roles::NUMBERS_EACH;
use crate::table::{Budget, Row};

/// Of the turn capacity.
const LOAD: f64 = 0.25;
/// What the p99 of a turn may be beside the work.
const MOST: f64 = 1.10;
const TEMPLATES: usize = 6_000;
/// Pairs of the import that are compared. What is left of a long list is recorded beside traffic that goes on.
const PAIRS: usize = 15;
/// Turns of a window that is compared: fewer have no 99th percentile.
const LEAST: usize = 500;
/// How often a job is looked at. Each look is a request to the node.
const LOOK: Duration = Duration::from_millis(200);

/// Traffic that goes on over many windows.
struct Traffic<'a> {
    run: &'a mut Run,
    gateway: Deployment,
    per_second: f64,
    /// Sends that Graph has taken, and the last of them that was looked at.
    done: u64,
    seen: u64,
}

type Window = Vec<(Instant, Duration)>;

impl<'a> Traffic<'a> {
    async fn begin(
        run: &'a mut Run,
        capacity: &Capacity,
        name: &str,
        templates: usize,
    ) -> anyhow::Result<Self> {
        let per_second = capacity.per_second * LOAD;
        let wish = Wish {
            records: 2 * run.at_rate(per_second) + WARM_UP,
            templates,
            ..Wish::default()
        };
        let gateway = Deployment::set_up(&run.stage, name, wish).await?;
        let done = warm(run, &gateway).await?;
        let mut traffic = Self {
            run,
            gateway,
            per_second,
            done,
            seen: 0,
        };
        // The caches of this rate, not of the warm-up's.
        traffic.window().await?;
        Ok(traffic)
    }

    /// How long each message of one window waited, with when it was due.
    async fn window(&mut self) -> anyhow::Result<Window> {
        let (first, requests) = self.run.take_numbered(self.run.at_rate(self.per_second));
        let pace = Pace::Open {
            per_second: self.per_second,
        };
        let outcome = drive(
            self.gateway.server.listen,
            &requests,
            pace,
            self.run.span * 3,
        )
        .await?;
        self.done += outcome.acknowledged();
        self.gateway.until_accepted(self.done).await?;
        let sends = self.gateway.graph.sends_after(self.seen).await?;
        self.seen = sends.last().map_or(self.seen, |send| send.sequence);
        let waits = match_up(&self.run.cast, first, &outcome, &sends);
        ensure!(
            waits.len() as u64 == outcome.acknowledged(),
            "{} of {} replies were found",
            waits.len(),
            outcome.acknowledged()
        );
        Ok(waits)
    }

    /// A window beside a job, cut where the job ends; and how long the job ran in it.
    async fn window_beside(&mut self, job: &str) -> anyhow::Result<(Window, Duration)> {
        let (api, job) = (self.gateway.api.clone(), job.to_owned());
        let began = now();
        let over = tokio::spawn(async move {
            until_over(&api, &job).await?;
            anyhow::Ok(now())
        });
        let mut window = self.window().await?;
        let ended = match over.is_finished() {
            true => over.await??,
            false => {
                over.abort();
                now()
            }
        };
        window.retain(|(due, _)| *due < ended);
        Ok((window, ended - began))
    }
}

/// Waits until a job is done or cancelled, and answers it.
async fn until_over(api: &Api, id: &str) -> anyhow::Result<Value> {
    loop {
        let job = api.get(&format!("/jobs/{id}")).await?;
        ensure!(job["state"] != "failed", "the job failed: {job}");
        if !matches!(job["state"].as_str(), Some("queued" | "running")) {
            return Ok(job);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Windows alone and beside the work, pair by pair.
#[derive(Default)]
struct Pairs {
    alone: Vec<Window>,
    beside: Vec<Window>,
}

impl Pairs {
    fn waits(windows: &[Window]) -> Waits {
        Waits::of(windows.iter().flatten().copied())
    }

    /// The median of what the p99 of each pair came to.
    fn ratio(&self) -> f64 {
        let p99 = |window: &Window| Waits::of(window.iter().copied()).quantile(0.99);
        let pairs = self.alone.iter().zip(&self.beside);
        let mut ratios: Vec<f64> = pairs
            .map(|(alone, beside)| p99(beside).as_secs_f64() / p99(alone).as_secs_f64())
            .collect();
        median(&mut ratios)
    }

    fn row(&self, what: String, measured: &str) -> Row {
        let words = |windows: &[Window]| words(&Self::waits(windows));
        Row {
            what,
            measured: format!("{}{measured}", words(&self.beside)),
            baseline: format!(
                "alone: {} (median of {} pairs)",
                words(&self.alone),
                self.alone.len()
            ),
            ratio: Some(self.ratio()),
            budget: Budget::AtMost(MOST),
        }
    }
}

fn words(waits: &Waits) -> String {
    let (p50, p99) = (millis(waits.quantile(0.5)), millis(waits.quantile(0.99)));
    format!("p50 {p50:.1} ms, p99 {p99:.1} ms")
}

/// A list that is taken in beside traffic, and recorded by a job that is cut every other window.
pub async fn import(run: &mut Run, capacity: &Capacity) -> anyhow::Result<Vec<Row>> {
    let rows = run.list;
    let mut traffic = Traffic::begin(run, capacity, "import", 0).await?;
    let before = peak_mib(&traffic.gateway)?;
    let (mut taken, mut recorded) = (Pairs::default(), Pairs::default());

    traffic.gateway.vacuum().await?;
    while taken.alone.len() < PAIRS {
        taken.alone.push(traffic.window().await?);
    }
    traffic.gateway.vacuum().await?;
    let api = traffic.gateway.api.clone();
    let began = now();
    let posted = tokio::spawn(async move {
        let job = api.post_csv("/consents/import", list(rows)).await?;
        let id = job["id"].as_str().context("a job")?.to_owned();
        api.post(&format!("/jobs/{id}/cancel")).await?;
        anyhow::Ok((id, now()))
    });
    while !posted.is_finished() {
        taken.beside.push(traffic.window().await?);
    }
    let (job, ended) = posted.await??;
    for window in &mut taken.beside {
        window.retain(|(due, _)| *due < ended);
    }
    // The last one may have begun just before the end.
    taken.beside.retain(|window| window.len() >= LEAST);
    taken.beside.truncate(PAIRS);
    ensure!(
        !taken.beside.is_empty(),
        "the list came too fast: take a longer one (--list)"
    );
    taken.alone.truncate(taken.beside.len());
    let kept_in = ended - began;

    let path = format!("/jobs/{job}");
    let mut worked = Duration::ZERO;
    let api = traffic.gateway.api.clone();
    let mut over = until_over(&api, &job).await?;
    while over["state"] != "done" && recorded.alone.len() < PAIRS {
        recorded.alone.push(traffic.window().await?);
        api.post(&format!("{path}/resume")).await?;
        let (window, ran) = traffic.window_beside(&job).await?;
        recorded.beside.push(window);
        worked += ran;
        api.post(&format!("{path}/cancel")).await?;
        over = until_over(&api, &job).await?;
    }
    let mut rest = Vec::new();
    if over["state"] != "done" {
        let resumed = now();
        api.post(&format!("{path}/resume")).await?;
        while matches!(
            over["state"].as_str(),
            Some("cancelled" | "queued" | "running")
        ) {
            rest.extend(traffic.window_beside(&job).await?.0);
            over = api.get(&path).await?;
        }
        worked += resumed.elapsed();
    }
    ensure!(over["result"]["recorded"] == rows, "not every row: {over}");
    let after = peak_mib(&traffic.gateway)?;
    let load = format!("beside turns at {:.0}/s (25 % load)", traffic.per_second);
    let took = format!("; taken in in {:.0} s", kept_in.as_secs_f64());
    let rest = match rest.is_empty() {
        true => String::new(),
        false => format!("; the rest without a cut: {}", words(&Waits::of(rest))),
    };
    let rest = format!(
        "{rest}; {:.0} s of work, {:.0} rows/s; peak memory of the gateway {after} MiB (before: {before} MiB)",
        worked.as_secs_f64(),
        rows as f64 / worked.as_secs_f64(),
    );
    Ok(vec![
        taken.row(format!("a list of {rows} statements arrives {load}"), &took),
        recorded.row(format!("it is recorded, cut and resumed, {load}"), &rest),
    ])
}

/// A whole account read beside traffic, one for each pair.
pub async fn sync(run: &mut Run, capacity: &Capacity) -> anyhow::Result<Row> {
    let mut traffic = Traffic::begin(run, capacity, "sync", TEMPLATES).await?;
    let before = peak_mib(&traffic.gateway)?;
    let accounts: Vec<String> = traffic.run.cast.numbers[..NUMBERS_EACH]
        .iter()
        .map(|number| number.waba_id.clone())
        .collect();
    let (mut pairs, mut times) = (Pairs::default(), Vec::new());
    for account in &accounts {
        pairs.alone.push(traffic.window().await?);
        let path = format!("/templates/sync?account={account}");
        let job = traffic.gateway.api.post(&path).await?;
        let id = job["id"].as_str().context("a job")?.to_owned();
        let (window, mut took) = traffic.window_beside(&id).await?;
        pairs.beside.push(window);
        let late = now();
        let job = until_over(&traffic.gateway.api, &id).await?;
        took += late.elapsed();
        ensure!(
            job["result"]["new"] == TEMPLATES,
            "not every template: {job}"
        );
        times.push(took);
    }
    times.sort_unstable();
    let after = peak_mib(&traffic.gateway)?;
    let slowest = times.last().copied().unwrap_or_default();
    let what = format!(
        "a sync of {TEMPLATES} templates beside turns at {:.0}/s (25 % load)",
        traffic.per_second
    );
    let measured = format!(
        "; {:.1} s at worst of {}; peak memory of the gateway {after} MiB (before: {before} MiB)",
        slowest.as_secs_f64(),
        times.len()
    );
    Ok(pairs.row(what, &measured))
}

fn list(rows: usize) -> String {
    let mut list = "phone,scope,at,wording,wording_version\n".to_owned();
    for n in 0..rows {
        let _ = writeln!(
            list,
            "+4915{n:09},marketing,2026-01-01T00:00:00Z,Yes the shop may write to me,1"
        );
    }
    list
}

/// The most memory that the gateway has had.
fn peak_mib(gateway: &Deployment) -> anyhow::Result<u64> {
    let pid = gateway.server.process.pid();
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kib.context("VmHWM")? >> 10)
}
