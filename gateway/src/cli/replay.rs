//! `vestibule plugin replay`: what a candidate would have done with the turns of the last days.
//!
//! First everything is read, then the process gives up its sockets, then guests run (`crate::replay`).

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde::de::DeserializeOwned;

use super::ago::Ago;
use super::{ask, output, plugin};
use crate::admin::{self, Command};
use crate::app::plugin_limits;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::domain::{Clock, InstallationId, Timestamp};
use crate::replay::read::{Asked, Page, Setup, just_before};
use crate::replay::{
    Bound, Entry, Gate, Judgement, News, PartKey, Recorded, Rehearsal, Tally, ToldMost, Workshop,
    gone, judge, parts_of, report,
};

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// Name or id of the tenant.
    #[arg(long)]
    tenant: String,
    /// Whose turns: the id that `plugin list` prints. It need not run any more.
    #[arg(long)]
    installation: InstallationId,
    /// The component to try in its place: a file, or `reference:NAME`.
    #[arg(long, value_name = "FILE")]
    candidate: PathBuf,
    /// From when on: how long ago ("7d", "12h"), or a time ("2026-11-24T08:00:00Z").
    #[arg(long)]
    since: Ago,
    /// Until when. Default: now.
    #[arg(long)]
    until: Option<Ago>,
    /// Most turns, the oldest first.
    #[arg(long, default_value_t = 10_000)]
    limit: usize,
    /// Fail with exit code 3 if so: "different>1%", "new-faults>0", "fuel>+20%". Also: faults, unknown, not-reproduced,
    /// left-out. May be given several times. With any, "compared<90%" (of all turns) is one too, unless another of compared is.
    #[arg(long = "fail-if", value_name = "BOUND")]
    fail_if: Vec<Bound>,
    /// Most differences to print, 20 as text and 200 as JSON if it is not said. The rest are counted.
    #[arg(long, value_parser = clap::value_parser!(u16).range(..=10_000))]
    show: Option<u16>,
}

/// A bound was broken.
const BROKEN: u8 = 3;
/// Differences that a person is shown who did not say how many.
const SHOWN: u16 = 20;

pub(super) async fn run(config: &Config, json: bool, asked: Replay) -> anyhow::Result<ExitCode> {
    let candidate = plugin::bytes_of(&asked.candidate)?;
    let mut tally = Tally {
        told_most: told_most(asked.show, json),
        ..Tally::default()
    };
    let turns = read(config, &asked, &mut tally).await?;
    let rehearsal = Rehearsal {
        installation: asked.installation,
        candidate,
        own: setup(config, &asked, asked.installation, None).await?,
        parts: parts(config, &asked, &turns).await,
        turns,
        tally,
    };
    let workshop = workshop(config)?;
    let tally = rehearsal.run(workshop, &mut tell).await?;
    let judged = judge(&asked.fail_if, &tally);
    match json {
        true => output::line(&report(&tally, &asked.fail_if).to_string()),
        false => output::line(&text(&tally, judged.as_ref())),
    }
    match judged.map(|judged| judged.gate) {
        None | Some(Gate::Passed) => Ok(ExitCode::SUCCESS),
        Some(Gate::Failed) => Ok(ExitCode::from(BROKEN)),
        // A gate that has seen nothing must not open.
        Some(Gate::NothingCompared) => bail!("no turn could be compared"),
    }
}

fn told_most(show: Option<u16>, json: bool) -> ToldMost {
    match show {
        None if json => ToldMost::default(),
        show => ToldMost(show.unwrap_or(SHOWN).into()),
    }
}

fn tell(news: News) {
    output::note(&match news {
        News::Gone(what) => what,
        News::Replayed { done, total } => format!("replayed {done} of {total} turns"),
    });
}

async fn get<T: DeserializeOwned>(config: &Config, command: Command) -> anyhow::Result<T> {
    let answer = ask::ask(config, command).await?;
    Ok(serde_json::from_value(serde_json::to_value(answer)?)?)
}

/// Turns that can be replayed, at most `limit`; the others are counted.
async fn read(config: &Config, asked: &Replay, tally: &mut Tally) -> anyhow::Result<Vec<Recorded>> {
    let now = SystemClock.now();
    let mut after = just_before(asked.since.before(now));
    let before = asked
        .until
        .map_or(Timestamp::from_millis(now.millis() + 1), |until| {
            until.before(now)
        });
    let mut turns = Vec::new();
    loop {
        let page: Page = get(
            config,
            Command::PluginJournal(Asked {
                tenant: asked.tenant.clone(),
                installation: asked.installation,
                after,
                before,
            }),
        )
        .await?;
        for entry in page.entries {
            if turns.len() as u64 + tally.turns() >= asked.limit as u64 {
                output::note(&format!("more turns than --limit {}", asked.limit));
                return Ok(turns);
            }
            match entry {
                Entry::Whole(recorded) => turns.push(*recorded),
                Entry::Left { why, .. } => tally.leave(why),
            }
        }
        match page.next {
            Some(next) => after = next,
            None => return Ok(turns),
        }
    }
}

fn workshop(config: &Config) -> anyhow::Result<Workshop> {
    let compiler = admin::compiler(config)?;
    Ok(Workshop::open(compiler, plugin_limits(&config.plugins))?)
}

/// What ran in these turns. What is not kept any more is told.
async fn parts(config: &Config, asked: &Replay, turns: &[Recorded]) -> Vec<(PartKey, Setup)> {
    let mut parts = Vec::new();
    for key in parts_of(turns) {
        match setup(config, asked, key.0, Some(key.1)).await {
            Ok(setup) => parts.push((key, setup)),
            Err(error) => tell(News::Gone(gone(key, &format!("{error:#}")))),
        }
    }
    parts
}

async fn setup(
    config: &Config,
    asked: &Replay,
    installation: InstallationId,
    version: Option<i64>,
) -> anyhow::Result<Setup> {
    let tenant = asked.tenant.clone();
    let command = Command::PluginSetup {
        tenant,
        installation,
        version,
    };
    get(config, command).await
}

fn text(tally: &Tally, judged: Option<&Judgement>) -> String {
    let left: Vec<String> = tally
        .left_out
        .iter()
        .map(|(why, count)| format!("{why} {count}"))
        .collect();
    let mut lines = vec![
        format!("turns           {}", tally.turns()),
        format!("same            {}", tally.same),
        format!("different       {}", tally.different),
        format!("unknown         {}", tally.unknown),
        format!(
            "not reproduced  {} ({} under another setup)",
            tally.not_reproduced, tally.setup_changed
        ),
        match left.is_empty() {
            true => "left out        0".to_owned(),
            false => format!("left out        {}", left.join(", ")),
        },
        format!(
            "faults          {} ({} new)",
            tally.faults, tally.new_faults
        ),
        format!(
            "fuel            {:+.1} % (one turn at most {:+.1} %)",
            tally.fuel_change().unwrap_or(0.0),
            tally.fuel_worst_percent
        ),
    ];
    for difference in &tally.differences {
        lines.push(String::new());
        lines.push(format!(
            "{}  {}  {}",
            difference.conversation, difference.at, difference.turn
        ));
        lines.push(format!("  customer: {:?}", difference.said));
        let before = difference.before.0.iter().map(|line| format!("  - {line}"));
        let after = difference.after.0.iter().map(|line| format!("  + {line}"));
        lines.extend(before.chain(after));
    }
    if tally.differences_not_told > 0 {
        let more = tally.differences_not_told;
        lines.push(format!("\n… and {more} more: see --show"));
    }
    let broken = judged.into_iter().flat_map(|judged| &judged.broken);
    lines.extend(broken.map(|bound| format!("\nbroken: {bound}")));
    lines.join("\n")
}
