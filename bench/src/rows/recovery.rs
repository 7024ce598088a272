//! How long nobody is answered after a node was killed or stands still.

use std::sync::Arc;
use std::time::Duration;

use super::Run;
use super::turns::Capacity;
use crate::bodies::Requests;
use crate::deployment::{Deployment, Wish};
use crate::load::{Pace, drive, now};
use crate::stage::Database;
use crate::table::{Budget, Row};

/// Buckets there are; a node that owns all of them serves everybody.
const BUCKETS: i64 = 256;

pub async fn measure(run: &mut Run, capacity: &Capacity) -> anyhow::Result<Vec<Row>> {
    match run.stage.database {
        Database::Sqlite => Ok(vec![killed(run, capacity).await?]),
        Database::Postgres => taken_over(run).await,
    }
}

/// Under load at a fifth of the capacity, five times: from the start of the process to the first reply at Graph.
async fn killed(run: &mut Run, capacity: &Capacity) -> anyhow::Result<Row> {
    let mut gateway = Deployment::set_up(&run.stage, "recovery", Wish::default()).await?;
    let rate = capacity.per_second * 0.2;
    let mut times = Vec::new();
    for _ in 0..5 {
        let requests = run.take(run.at_rate(rate));
        let load = tokio::spawn(load(gateway.server.listen, requests, rate, run.span / 2));
        let before = gateway.graph.accepted().await?;
        gateway.until_accepted(before + 200).await?;
        let (accepted, began) = gateway.kill_and_start(&run.stage).await?;
        gateway.until_accepted(accepted + 1).await?;
        times.push(began.elapsed());
        load.await??;
    }
    Ok(row(
        "recovery after kill -9 under load, from process start to the next reply",
        &mut times,
        Duration::from_secs(2),
    ))
}

async fn load(
    to: std::net::SocketAddr,
    requests: Arc<Requests>,
    per_second: f64,
    span: Duration,
) -> anyhow::Result<()> {
    drive(to, &requests, Pace::Open { per_second }, span).await?;
    Ok(())
}

/// Two nodes: one is killed, one stands still; until the other owns everything.
async fn taken_over(run: &Run) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (what, kill) in [
        ("recovery after kill -9 of one of two nodes", true),
        ("recovery after SIGSTOP of one of two nodes", false),
    ] {
        let name = if kill { "killed" } else { "stopped" };
        let mut gateway = Deployment::set_up(&run.stage, name, Wish::default()).await?;
        let _second = gateway.second_node(&run.stage).await?;
        until_most_buckets(&gateway, |owned| owned == BUCKETS / 2).await?;
        let began = now();
        if kill {
            gateway.server.process.kill9();
        } else {
            gateway.server.process.stop();
        }
        until_most_buckets(&gateway, |owned| owned == BUCKETS).await?;
        let mut times = vec![began.elapsed()];
        rows.push(row(
            &format!("{what}, until the other owns all buckets"),
            &mut times,
            Duration::from_secs(15),
        ));
    }
    Ok(rows)
}

async fn until_most_buckets(
    gateway: &Deployment,
    enough: impl Fn(i64) -> bool,
) -> anyhow::Result<()> {
    let began = now();
    while !enough(gateway.most_buckets().await?) {
        anyhow::ensure!(
            began.elapsed() < Duration::from_secs(60),
            "the buckets were not taken over"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn row(what: &str, times: &mut [Duration], most: Duration) -> Row {
    times.sort_unstable();
    let worst = times.last().copied().unwrap_or_default();
    let text = match most.as_secs() {
        2 => "≤ 2 s",
        _ => "≤ 15 s",
    };
    Row {
        what: what.to_owned(),
        measured: format!("{:.2} s at worst of {}", worst.as_secs_f64(), times.len()),
        baseline: String::new(),
        ratio: None,
        budget: Budget::Limit {
            text,
            met: worst <= most,
        },
    }
}
