//! Whole turns: webhook, one plugin, policy, outbox, accepted by Graph and recorded.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::baseline::Yardstick;
use super::{Run, micros, millis, unix_seconds, unix_time};
use crate::bodies::{Cast, Requests};
use crate::deployment::{Deployment, Send, Wish};
use crate::load::{Outcome, Pace, drive, now};
use crate::stage::Database;
use crate::table::{Budget, Row};

/// What a gateway does at full speed.
pub struct Capacity {
    pub per_second: f64,
    messages: u64,
    stored_bytes: f64,
}

/// Messages that a gateway sees before it is measured: caches, partitions and connections are warm then.
pub(super) const WARM_UP: usize = 4_000;

pub(super) async fn warm(run: &mut Run, gateway: &Deployment) -> anyhow::Result<u64> {
    let requests = run.take(WARM_UP);
    let outcome = drive(gateway.server.listen, &requests, Pace::Closed, run.span * 5).await?;
    let accepted = outcome.acknowledged();
    gateway.until_accepted(accepted).await?;
    Ok(accepted)
}

/// As many messages as an idle machine turns around in the span, in as fast as they are acknowledged; the clock stops
/// when Graph has accepted the last reply.
pub async fn capacity(run: &mut Run) -> anyhow::Result<Capacity> {
    let gateway = Deployment::set_up(&run.stage, "turns", Wish::default()).await?;
    // A first guess of the rate, from the warm-up.
    let began = now();
    let mut done = warm(run, &gateway).await?;
    let guess = done as f64 / began.elapsed().as_secs_f64();
    let requests = run.take(run.at_rate(guess));
    let before = gateway.stored_bytes().await?;
    let began = now();
    let outcome = drive(gateway.server.listen, &requests, Pace::Closed, run.span * 5).await?;
    done += outcome.acknowledged();
    gateway.until_accepted(done).await?;
    let elapsed = began.elapsed();
    let stored = gateway.stored_bytes().await? - before;
    ensure!(
        gateway.graph.violations().await? == 0,
        "the gateway broke Meta's rules"
    );
    let messages = outcome.acknowledged();
    Ok(Capacity {
        per_second: messages as f64 / elapsed.as_secs_f64(),
        messages,
        stored_bytes: stored as f64 / messages as f64,
    })
}

impl Capacity {
    pub fn rows(&self, database: Database, yardstick: &Yardstick) -> Vec<Row> {
        let least = match database {
            Database::Sqlite => 0.15,
            Database::Postgres => 0.10,
        };
        let turns = Row {
            what: "full turns".to_owned(),
            measured: format!("{:.0}/s ({} messages)", self.per_second, self.messages),
            baseline: format!("{:.0}/s", yardstick.per_second),
            ratio: Some(self.per_second / yardstick.per_second),
            budget: Budget::AtLeast(least),
        };
        let bytes = Row {
            what: "stored bytes a turn: mean growth of the database, 500 B body, journal and indexes included"
                .to_owned(),
            measured: format!("{:.0} B", self.stored_bytes),
            baseline: String::new(),
            ratio: None,
            budget: Budget::Limit {
                text: "≤ 3,072 B",
                met: self.stored_bytes <= 3_072.0,
            },
        };
        vec![turns, bytes]
    }
}

/// The same with `sent`, `delivered` and `read` for each reply; the clock stops when all are applied.
pub async fn with_receipts(
    run: &mut Run,
    yardstick: &Yardstick,
    capacity: &Capacity,
) -> anyhow::Result<Row> {
    let wish = Wish {
        receipts: true,
        ..Wish::default()
    };
    let gateway = Deployment::set_up(&run.stage, "receipts", wish).await?;
    let warmed = warm(run, &gateway).await?;
    gateway.until_receipts(3 * warmed).await?;
    let requests = run.take(run.at_rate(capacity.per_second / 2.0));
    let began = now();
    let outcome = drive(gateway.server.listen, &requests, Pace::Closed, run.span * 5).await?;
    let done = warmed + outcome.acknowledged();
    gateway.until_accepted(done).await?;
    gateway.until_receipts(3 * done).await?;
    let per_second = outcome.acknowledged() as f64 / began.elapsed().as_secs_f64();
    let least = match run.stage.database {
        Database::Sqlite => 0.07,
        Database::Postgres => 0.055,
    };
    Ok(Row {
        what: "full turns with three receipts each".to_owned(),
        measured: format!("{per_second:.0}/s ({} messages)", outcome.acknowledged()),
        baseline: format!("{:.0}/s", yardstick.per_second),
        ratio: Some(per_second / yardstick.per_second),
        budget: Budget::AtLeast(least),
    })
}

/// What a turn and a receipt cost at half of the capacity, and how long a reply takes at a fifth of it.
pub async fn costs(
    run: &mut Run,
    yardstick: &Yardstick,
    capacity: &Capacity,
) -> anyhow::Result<Vec<Row>> {
    let (half, fifth) = (capacity.per_second * 0.5, capacity.per_second * 0.2);
    let wish = Wish {
        records: 2 * run.at_rate(half) + WARM_UP,
        ..Wish::default()
    };
    let gateway = Deployment::set_up(&run.stage, "costs", wish).await?;
    let warmed = warm(run, &gateway).await?;
    let (turn_cpu, done) = turn_cpu(run, &gateway, half, warmed).await?;
    let waits = waits(run, &gateway, fifth, done).await?;
    let receipt_cpu = receipt_cpu(run, &gateway, half).await?;
    drop(gateway);
    let baseline_cpu = yardstick.cpu_at(run, half).await?;
    let cpu_row = |what: &str, cpu: Duration, most| Row {
        what: format!("CPU of {what}, at {half:.0}/s"),
        measured: format!("{:.1} µs", micros(cpu)),
        baseline: format!("{:.1} µs a webhook", micros(baseline_cpu)),
        ratio: Some(cpu.as_secs_f64() / baseline_cpu.as_secs_f64()),
        budget: Budget::AtMost(most),
    };
    Ok(vec![
        cpu_row("a full turn", turn_cpu, 7.0),
        cpu_row("a receipt", receipt_cpu, 2.0),
        waits.row(fifth),
    ])
}

async fn turn_cpu(
    run: &mut Run,
    gateway: &Deployment,
    per_second: f64,
    done: u64,
) -> anyhow::Result<(Duration, u64)> {
    let requests = run.take(run.at_rate(per_second));
    let before = gateway.server.cpu();
    let outcome = drive(
        gateway.server.listen,
        &requests,
        Pace::Open { per_second },
        run.span * 3,
    )
    .await?;
    let done = done + outcome.acknowledged();
    gateway.until_accepted(done).await?;
    let cpu = gateway.server.cpu() - before;
    Ok((cpu.div_f64(outcome.acknowledged().max(1) as f64), done))
}

/// One `delivered` a POST for sends of before, until all are applied.
async fn receipt_cpu(
    run: &mut Run,
    gateway: &Deployment,
    per_second: f64,
) -> anyhow::Result<Duration> {
    let mut sends = gateway.graph.sends().await?;
    sends.truncate(run.at_rate(per_second));
    let requests = Arc::new(Requests::receipts(&run.cast, &sends, unix_seconds()));
    let before = gateway.server.cpu();
    let outcome = drive(
        gateway.server.listen,
        &requests,
        Pace::Open { per_second },
        run.span * 3,
    )
    .await?;
    gateway.until_receipts(outcome.acknowledged()).await?;
    let cpu = gateway.server.cpu() - before;
    Ok(cpu.div_f64(outcome.acknowledged().max(1) as f64))
}

/// From when a webhook was due at the gateway to when its reply was at Graph, sorted.
pub(super) struct Waits(Vec<Duration>);

async fn waits(
    run: &mut Run,
    gateway: &Deployment,
    per_second: f64,
    done: u64,
) -> anyhow::Result<Waits> {
    let (first, requests) = run.take_numbered(run.at_rate(per_second));
    let outcome = drive(
        gateway.server.listen,
        &requests,
        Pace::Open { per_second },
        run.span * 3,
    )
    .await?;
    gateway
        .until_accepted(done + outcome.acknowledged())
        .await?;
    let sends = gateway.graph.sends().await?;
    let waits = Waits::of(match_up(&run.cast, first, &outcome, &sends));
    ensure!(
        waits.0.len() as u64 == outcome.acknowledged(),
        "{} of {} replies were found",
        waits.0.len(),
        outcome.acknowledged()
    );
    Ok(waits)
}

/// Finds each message's reply by its number and customer, with when the message was due. Instants of two processes of one machine are one clock, but
/// cannot be compared as such: both are turned into unix time.
pub(super) fn match_up(
    cast: &Cast,
    first: usize,
    outcome: &Outcome,
    sends: &[Send],
) -> Vec<(Instant, Duration)> {
    // `at` is cut to milliseconds: the latest start that fits is the true one, to within some microseconds.
    let started = sends
        .iter()
        .map(|send| send.at * 1_000 - send.elapsed_us)
        .max()
        .unwrap_or(0);
    // A pair met before has an older send: the newest counts.
    let arrived: HashMap<(&str, &str), i64> = sends
        .iter()
        .map(|send| {
            let pair = (send.phone_number_id.as_str(), send.recipient.as_str());
            (pair, started + send.elapsed_us)
        })
        .collect();
    let (wall, monotonic) = (unix_time(), now());
    let unix_us = |at: Instant| {
        let ago = monotonic.saturating_duration_since(at);
        i64::try_from((wall - ago).as_micros()).unwrap_or(i64::MAX)
    };
    outcome
        .due
        .iter()
        .filter_map(|(index, due)| {
            let (number, customer) = cast.pair(first + index);
            let at = arrived.get(&(number.phone_number_id.as_str(), customer.as_str()))?;
            let waited = u64::try_from(at - unix_us(*due)).unwrap_or(0);
            Some((*due, Duration::from_micros(waited)))
        })
        .collect()
}

impl Waits {
    pub(super) fn of(waits: impl IntoIterator<Item = (Instant, Duration)>) -> Self {
        let mut waits: Vec<Duration> = waits.into_iter().map(|(_, wait)| wait).collect();
        waits.sort_unstable();
        Self(waits)
    }

    pub(super) fn quantile(&self, share: f64) -> Duration {
        let last = self.0.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        self.0.get(index).copied().unwrap_or_default()
    }

    fn row(&self, per_second: f64) -> Row {
        let (p50, p99) = (self.quantile(0.5), self.quantile(0.99));
        Row {
            what: format!("webhook → POST at Graph, at {per_second:.0}/s (20 % load)"),
            measured: format!("p50 {:.1} ms, p99 {:.1} ms", millis(p50), millis(p99)),
            baseline: String::new(),
            ratio: None,
            budget: Budget::Limit {
                text: "p50 ≤ 10 ms, p99 ≤ 50 ms",
                met: p50 <= Duration::from_millis(10) && p99 <= Duration::from_millis(50),
            },
        }
    }
}
