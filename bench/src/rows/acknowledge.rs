//! How fast Meta gets its 200: with nothing else to do, and when more comes in than can be worked off.

use std::time::Duration;

use anyhow::ensure;

use super::baseline::{PER_SECOND_MOST, Yardstick};
use super::turns::Capacity;
use super::{Run, micros, millis};
use crate::deployment::{Deployment, Wish};
use crate::load::{Pace, drive, now};
use crate::table::{Budget, Row};

/// Verify, split by bucket, group-commit, answer; attaching goes on behind it, turns do not.
pub async fn with_turns_paused(run: &mut Run, yardstick: &Yardstick) -> anyhow::Result<Row> {
    let wish = Wish {
        turns_paused: true,
        ..Wish::default()
    };
    let gateway = Deployment::set_up(&run.stage, "acknowledge", wish).await?;
    let warm_up = run.take(20_000);
    drive(gateway.server.listen, &warm_up, Pace::Closed, run.span / 4).await?;
    let requests = run.take(PER_SECOND_MOST * run.span.as_secs() as usize);
    let before = gateway.server.cpu();
    let outcome = drive(gateway.server.listen, &requests, Pace::Closed, run.span).await?;
    let cpu = (gateway.server.cpu() - before).div_f64(outcome.acknowledged().max(1) as f64);
    ensure!(
        outcome.refused() == 0,
        "not every webhook was taken: {:?}",
        outcome.statuses
    );
    Ok(Row {
        what: "acknowledgement, turns paused".to_owned(),
        measured: format!(
            "{:.0}/s, p99 {:.1} ms, {:.1} µs CPU (attaching included)",
            outcome.per_second(),
            millis(outcome.quantile(0.99)),
            micros(cpu)
        ),
        baseline: format!(
            "{:.0}/s, p99 {:.1} ms",
            yardstick.per_second,
            millis(yardstick.p99)
        ),
        ratio: Some(outcome.per_second() / yardstick.per_second),
        budget: Budget::AtLeast(0.85),
    })
}

/// Three spans (a minute, as it comes) of twice what turns keep up with.
pub async fn overloaded(run: &mut Run, capacity: &Capacity) -> anyhow::Result<Row> {
    let gateway = Deployment::set_up(&run.stage, "overload", Wish::default()).await?;
    let rate = 2.0 * capacity.per_second;
    let span = 3 * run.span;
    let requests = run.take((rate * span.as_secs_f64()) as usize);
    let began = now();
    let outcome = drive(
        gateway.server.listen,
        &requests,
        Pace::Open { per_second: rate },
        span + Duration::from_secs(30),
    )
    .await?;
    let drained = gateway.until_accepted(outcome.acknowledged()).await;
    let drained_after = began.elapsed();
    let p99 = outcome.quantile(0.99);
    let met = p99 <= Duration::from_millis(100)
        && outcome.refused() == 0
        && outcome.broken == 0
        && drained.is_ok();
    let drain = match drained {
        Ok(time) => format!(
            "drained {:.0} s later, {:.0} turns/s over all",
            time.as_secs_f64(),
            outcome.acknowledged() as f64 / drained_after.as_secs_f64()
        ),
        Err(error) => format!("not drained ({error})"),
    };
    Ok(Row {
        what: format!(
            "acknowledgement at twice the turn capacity ({rate:.0}/s asked) for {} s",
            span.as_secs()
        ),
        measured: format!(
            "{:.0}/s, p50 {:.1} ms, p99 {:.1} ms, {} refused, {} broken; {drain}",
            outcome.per_second(),
            millis(outcome.quantile(0.5)),
            millis(p99),
            outcome.refused(),
            outcome.broken
        ),
        baseline: String::new(),
        ratio: None,
        budget: Budget::Limit {
            text: "p99 ≤ 100 ms, none refused, drains",
            met,
        },
    })
}
