//! Quiet tenants beside noisy ones: how long somebody who writes to a quiet one waits for the reply, with the noise and without.
//!
//! Windows come in pairs, quiet and noisy in turn; after each noisy one everything is worked off. In it one tenant's plugin
//! loops, one's allocates and one's floods host calls, a hundred times a second, each until it is stopped and with no breaker
//! between; and a fourth tenant gets a seventh of a hundred thousand messages, and answers them. The shorter the windows, the
//! more a second that is.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;
use tokio::task::JoinSet;

use super::turns::{Capacity, WARM_UP, Waits, match_up};
use super::{Run, median, millis, unix_seconds};
use crate::bodies::{Cast, Casting, Noise, Requests};
use crate::deployment::{Deployment, Wish};
use crate::load::{Outcome, Pace, drive};
use crate::table::{Budget, Row};

/// Of the turn capacity, by the quiet tenants together.
const LOAD: f64 = 0.30;
const PAIRS: usize = 7;
/// Messages to each tenant whose plugin fails, and to the one that is written to.
const FAILING_PER_SECOND: f64 = 100.0;
const WRITTEN: usize = 100_000;
/// What the p99 of the quiet ones may be above that without noise.
const MOST: Duration = Duration::from_millis(5);

struct Street<'a> {
    run: &'a Run,
    gateway: Deployment,
    quiet: Cast,
    per_second: f64,
    /// Messages so far, of the quiet and of each noisy one.
    used: usize,
    noise: [usize; Noise::ALL.len()],
    /// Sends that Graph has taken, and turns that have ended.
    accepted: u64,
    turns: u64,
    seen: u64,
}

pub async fn measure(run: &mut Run, capacity: &Capacity) -> anyhow::Result<Row> {
    let per_second = capacity.per_second * LOAD;
    let wish = Wish {
        casting: Casting::Neighbours,
        without_breaker: true,
        records: 2 * run.at_rate(per_second) + WARM_UP + 2 * WRITTEN / PAIRS,
        ..Wish::default()
    };
    let gateway = Deployment::set_up(&run.stage, "neighbours", wish).await?;
    let mut street = Street {
        run,
        gateway,
        quiet: Cast::quiet(),
        per_second,
        used: 0,
        noise: [0; Noise::ALL.len()],
        accepted: 0,
        turns: 0,
        seen: 0,
    };
    // Caches, plugins and connections.
    street.window(&[]).await?;
    street.window(&Noise::ALL).await?;
    let (mut base, mut beside, mut above) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let quiet = street.window(&[]).await?;
        let noisy = street.window(&Noise::ALL).await?;
        above.push(millis(noisy.quantile(0.99)) - millis(quiet.quantile(0.99)));
        base.push(quiet);
        beside.push(noisy);
    }
    let mut each = Vec::new();
    for noise in Noise::ALL {
        let p99 = millis(street.window(&[noise]).await?.quantile(0.99));
        each.push(format!("{} {p99:.0} ms", noise.words()));
    }
    let typical = median(&mut above);
    let middle = |windows: &[Waits], share: f64| {
        let mut all: Vec<f64> = windows.iter().map(|w| millis(w.quantile(share))).collect();
        median(&mut all)
    };
    let words = |windows: &[Waits]| {
        let (p50, p99) = (middle(windows, 0.5), middle(windows, 0.99));
        format!("p50 {p50:.1} ms, p99 {p99:.1} ms")
    };
    Ok(Row {
        what: format!(
            "webhook → POST of {} quiet tenants at {per_second:.0}/s (30 % load) beside one that loops, one that allocates, \
             one that floods host calls and one that {WRITTEN} write to",
            street.quiet.numbers.len()
        ),
        measured: format!(
            "{} (p99 {typical:+.1} ms at the median of {PAIRS} pairs, {:+.1} to {:+.1}); p99 beside each by itself: {}",
            words(&beside),
            above[0],
            above[PAIRS - 1],
            each.join(", ")
        ),
        baseline: format!("without: {}", words(&base)),
        ratio: None,
        budget: Budget::Limit {
            text: "p99 ≤ base + 5 ms",
            met: typical <= millis(MOST),
        },
    })
}

impl Street<'_> {
    /// How long the messages to the quiet ones waited; ends when everything is worked off.
    async fn window(&mut self, noises: &[Noise]) -> anyhow::Result<Waits> {
        let count = self.run.at_rate(self.per_second);
        let first = self.used;
        self.used += count;
        let quiet = requests(&self.quiet, first, count);
        let mut noise = JoinSet::new();
        for &kind in noises {
            let count = match kind {
                Noise::IsWrittenTo => WRITTEN / PAIRS,
                _ => self.run.at_rate(FAILING_PER_SECOND),
            };
            // Numbers that no other tenant's message has.
            let (n, used) = (kind as usize, &mut self.noise[kind as usize]);
            let start = (n + 1) * 1_000_000_000 + *used;
            *used += count;
            let requests = requests(&Cast::noisy(kind), start, count);
            noise.spawn(self.send(requests, count));
        }
        let outcome = self.send(quiet, count).await?;
        let mut others = Vec::new();
        while let Some(other) = noise.join_next().await {
            others.push(other??);
        }
        self.settle(&outcome, &others).await?;
        let sends = self.gateway.graph.sends_after(self.seen).await?;
        self.seen = sends.last().map_or(self.seen, |send| send.sequence);
        let waits = match_up(&self.quiet, first, &outcome, &sends);
        ensure!(
            waits.len() == count,
            "{} of {count} replies were found",
            waits.len()
        );
        Ok(Waits::of(waits))
    }

    /// Spread over the window.
    fn send(
        &self,
        requests: Arc<Requests>,
        count: usize,
    ) -> impl Future<Output = anyhow::Result<Outcome>> + use<> {
        let (to, span) = (self.gateway.server.listen, self.run.span);
        let per_second = count as f64 / span.as_secs_f64();
        async move { drive(to, &requests, Pace::Open { per_second }, span * 10).await }
    }

    /// Waits until every turn has ended and every reply is at Graph.
    async fn settle(&mut self, quiet: &Outcome, others: &[Outcome]) -> anyhow::Result<()> {
        let all = others.iter().map(Outcome::acknowledged).sum::<u64>();
        self.turns += quiet.acknowledged() + all;
        self.gateway.until_turns(self.turns).await?;
        // Those whose plugin fails are answered too, with the fallback.
        self.accepted += quiet.acknowledged() + all;
        self.gateway.until_accepted(self.accepted).await?;
        Ok(())
    }
}

fn requests(cast: &Cast, first: usize, count: usize) -> Arc<Requests> {
    Arc::new(Requests::messages(
        cast,
        first..first + count,
        unix_seconds(),
    ))
}
