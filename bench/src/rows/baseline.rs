//! What the baseline does here: the denominator of every other row.

use std::time::Duration;

use crate::load::{Pace, drive};
use crate::rows::Run;
use crate::stage::{Database, Server};
use crate::table::{Budget, Row};

/// The running baseline and what it does at full speed.
pub struct Yardstick {
    pub server: Server,
    pub per_second: f64,
    pub cpu_per_webhook: Duration,
    pub p99: Duration,
}

/// More than any baseline answers in a second here: a closed run is ended by time, not by running out of messages.
pub const PER_SECOND_MOST: usize = 60_000;

pub async fn measure(run: &mut Run) -> anyhow::Result<Yardstick> {
    let server = run.stage.baseline(&run.cast.secret).await?;
    let warm_up = run.take(20_000);
    drive(server.listen, &warm_up, Pace::Closed, run.span).await?;
    let requests = run.take(PER_SECOND_MOST * run.span.as_secs() as usize);
    let before = server.cpu();
    let outcome = drive(server.listen, &requests, Pace::Closed, run.span).await?;
    let cpu = server.cpu() - before;
    anyhow::ensure!(
        outcome.acknowledged() > 0,
        "the baseline answered nothing: {}",
        server.process.logs()
    );
    Ok(Yardstick {
        per_second: outcome.per_second(),
        cpu_per_webhook: cpu.div_f64(outcome.acknowledged() as f64),
        p99: outcome.quantile(0.99),
        server,
    })
}

impl Yardstick {
    /// CPU per webhook when this many come in a second: less busy, groups are smaller and each webhook costs more.
    pub async fn cpu_at(&self, run: &mut Run, per_second: f64) -> anyhow::Result<Duration> {
        let requests = run.take((per_second * run.span.as_secs_f64()) as usize);
        let before = self.server.cpu();
        let outcome = drive(
            self.server.listen,
            &requests,
            Pace::Open { per_second },
            run.span * 2,
        )
        .await?;
        Ok((self.server.cpu() - before).div_f64(outcome.acknowledged().max(1) as f64))
    }

    pub fn rows(&self, database: Database) -> Vec<Row> {
        let expected = expected(database);
        let off = self.per_second < expected.start * 0.7 || self.per_second > expected.end * 1.3;
        let warning = if off {
            ": **more than 30 % off, another kind of machine**"
        } else {
            ""
        };
        vec![Row {
            what: "baseline: verify, group-commit, answer".to_owned(),
            measured: format!(
                "{:.0}/s, p99 {:.1} ms, {:.1} µs CPU with the database's (expected {:.0} to {:.0}/s{warning})",
                self.per_second,
                self.p99.as_secs_f64() * 1e3,
                self.cpu_per_webhook.as_secs_f64() * 1e6,
                expected.start,
                expected.end
            ),
            baseline: String::new(),
            ratio: None,
            budget: Budget::None,
        }]
    }
}

/// Webhooks a second that the budgets were written for (2 cores shared with the load generator).
fn expected(database: Database) -> std::ops::Range<f64> {
    match database {
        Database::Sqlite => 35_000.0..43_000.0,
        Database::Postgres => 30_000.0..38_000.0,
    }
}
