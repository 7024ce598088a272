//! What a node with many numbers takes while nobody writes to them.

use std::time::Duration;

use super::{Run, median};
use crate::bodies::{Cast, Casting};
use crate::deployment::{Deployment, Wish};
use crate::table::{Budget, Row};

/// The middle one counts: something is due every so often.
const SAMPLES: usize = 5;
/// What the first start after so large a set-up brings with it: 12 s of CPU, once.
const START: Duration = Duration::from_secs(40);
/// Of a core.
const MOST: f64 = 0.02;

pub async fn measure(run: &mut Run) -> anyhow::Result<Row> {
    let wish = Wish {
        casting: Casting::Many,
        ..Wish::default()
    };
    let numbers = Cast::of(wish.casting).numbers.len();
    let gateway = Deployment::set_up(&run.stage, "idle", wish).await?;
    tokio::time::sleep(START).await;
    let mut parts = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let before = gateway.server.cpu();
        tokio::time::sleep(run.span).await;
        let used = gateway.server.cpu() - before;
        parts.push(used.as_secs_f64() / run.span.as_secs_f64());
    }
    let median = median(&mut parts);
    let [least, most] = [parts[0], parts[SAMPLES - 1]].map(|part| part * 100.0);
    Ok(Row {
        what: format!("idle with {numbers} numbers, each with an installation"),
        measured: format!(
            "{:.1} % of a core, the database's processes included ({least:.1} to {most:.1} in {SAMPLES} samples)",
            median * 100.0
        ),
        baseline: String::new(),
        ratio: None,
        budget: Budget::Limit {
            text: "≤ 2 % of a core",
            met: median <= MOST,
        },
    })
}
