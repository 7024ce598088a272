//! The rows of the table, in the order in which they are measured.

mod baseline;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;

use crate::bodies::{Cast, Requests};
use crate::stage::{Database, Stage};
use crate::table::Row;

/// Rows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Wanted {
    Baseline,
}

/// One run: its stage, how long things last, and the messages not used yet.
pub struct Run {
    pub stage: Stage,
    pub cast: Cast,
    /// How long one measurement lasts.
    pub span: Duration,
    wanted: Vec<Wanted>,
    used: usize,
}

impl Run {
    pub fn wants(&self, row: Wanted) -> bool {
        self.wanted.is_empty() || self.wanted.contains(&row)
    }

    /// The next `count` messages, signed; never the same twice in a run.
    pub fn take(&mut self, count: usize) -> Arc<Requests> {
        let range = self.used..self.used + count;
        self.used = range.end;
        Arc::new(Requests::messages(&self.cast, range, unix_seconds()))
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "messages carry the time at which they were really sent"
)]
fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_secs()
}

/// Measures the wanted rows on one kind of database.
pub async fn measure(
    database: Database,
    folder: &Path,
    quick: bool,
    wanted: &[Wanted],
) -> anyhow::Result<Vec<Row>> {
    let mut run = Run {
        stage: Stage::set(database, folder)?,
        cast: Cast::new(64, 2_000),
        span: Duration::from_secs(if quick { 2 } else { 20 }),
        wanted: wanted.to_vec(),
        used: 0,
    };
    let mut rows = Vec::new();
    let yardstick = baseline::measure(&mut run).await?;
    if run.wants(Wanted::Baseline) {
        rows.extend(yardstick.rows(database));
    }
    Ok(rows)
}
