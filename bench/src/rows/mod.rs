//! The rows of the table, in the order in which they are measured.

mod acknowledge;
mod baseline;
mod beside;
mod idle;
mod neighbours;
mod recovery;
mod turns;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;

use crate::bodies::{Cast, Casting, Requests};
use crate::stage::{Database, Stage};
use crate::table::Row;

/// Rows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wanted {
    Baseline,
    /// Acknowledgement with turns paused.
    Acknowledge,
    /// Full turns a second, and bytes stored by each.
    Turns,
    /// The same with three receipts each.
    Receipts,
    /// Acknowledgement at twice the turn capacity.
    Overload,
    /// CPU of a turn and of a receipt, and how long a customer waits.
    Cpu,
    /// After `kill -9` and `SIGSTOP`.
    Recovery,
    /// A consent import beside traffic.
    Import,
    /// A template sync beside traffic.
    Sync,
    /// Quiet tenants beside one that loops, one that allocates, one that floods, and one that is written to.
    Neighbours,
    /// CPU of a node with 10,000 numbers and nothing to do.
    Idle,
}

/// One run: its stage, how long things last, and the messages not used yet.
pub struct Run {
    pub stage: Stage,
    pub cast: Cast,
    /// How long one measurement lasts.
    pub span: Duration,
    /// Rows of the list that is imported.
    pub list: usize,
    wanted: Vec<Wanted>,
    used: usize,
}

impl Run {
    pub fn wants(&self, row: Wanted) -> bool {
        self.wanted.is_empty() || self.wanted.contains(&row)
    }

    /// The next `count` messages, signed; never the same twice in a run.
    pub fn take(&mut self, count: usize) -> Arc<Requests> {
        self.take_numbered(count).1
    }

    /// The same, with the number of the first.
    pub fn take_numbered(&mut self, count: usize) -> (usize, Arc<Requests>) {
        let range = self.used..self.used + count;
        self.used = range.end;
        let requests = Requests::messages(&self.cast, range.clone(), unix_seconds());
        (range.start, Arc::new(requests))
    }

    /// Messages that come in during one measurement at this rate.
    pub fn at_rate(&self, per_second: f64) -> usize {
        (per_second * self.span.as_secs_f64()).ceil() as usize
    }
}

fn unix_seconds() -> u64 {
    unix_time().as_secs()
}

#[allow(
    clippy::disallowed_methods,
    reason = "messages carry the time at which they were really sent"
)]
fn unix_time() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
}

/// Microseconds of CPU or waiting, as people read them.
fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The middle one; the values are in order afterwards.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Measures the wanted rows on one kind of database.
pub async fn measure(
    database: Database,
    folder: &Path,
    span: Duration,
    wanted: &[Wanted],
    list: usize,
) -> anyhow::Result<Vec<Row>> {
    let mut run = Run {
        stage: Stage::set(database, folder)?,
        cast: Cast::of(Casting::Standard),
        span,
        list,
        wanted: wanted.to_vec(),
        used: 0,
    };
    let mut rows = Vec::new();
    let yardstick = baseline::measure(&mut run).await?;
    if run.wants(Wanted::Baseline) {
        rows.extend(yardstick.rows(database));
    }
    if run.wants(Wanted::Acknowledge) {
        rows.push(acknowledge::with_turns_paused(&mut run, &yardstick).await?);
    }
    if run.wants(Wanted::Idle) {
        rows.push(idle::measure(&mut run).await?);
    }
    // Everything that follows goes by the turn capacity.
    let rest = [
        Wanted::Turns,
        Wanted::Receipts,
        Wanted::Overload,
        Wanted::Cpu,
        Wanted::Recovery,
        Wanted::Import,
        Wanted::Sync,
        Wanted::Neighbours,
    ];
    if !rest.iter().any(|row| run.wants(*row)) {
        return Ok(rows);
    }
    let capacity = turns::capacity(&mut run).await?;
    if run.wants(Wanted::Turns) {
        rows.extend(capacity.rows(database, &yardstick));
    }
    if run.wants(Wanted::Receipts) {
        rows.push(turns::with_receipts(&mut run, &yardstick, &capacity).await?);
    }
    if run.wants(Wanted::Overload) {
        rows.push(acknowledge::overloaded(&mut run, &capacity).await?);
    }
    if run.wants(Wanted::Cpu) {
        rows.extend(turns::costs(&mut run, &yardstick, &capacity).await?);
    }
    if run.wants(Wanted::Recovery) {
        rows.extend(recovery::measure(&mut run, &capacity).await?);
    }
    if run.wants(Wanted::Import) {
        rows.extend(beside::import(&mut run, &capacity).await?);
    }
    if run.wants(Wanted::Sync) {
        rows.push(beside::sync(&mut run, &capacity).await?);
    }
    if run.wants(Wanted::Neighbours) {
        rows.push(neighbours::measure(&mut run, &capacity).await?);
    }
    Ok(rows)
}
