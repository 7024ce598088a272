//! `vestibule plugin replay`: what a candidate would have done with the turns of the last days.
//!
//! First everything is read, then the process gives up its sockets, then guests run (`crate::replay`).

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use futures::{StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;

use super::ago::Ago;
use super::{ask, output, plugin};
use crate::admin::{self, Command};
use crate::app::plugin_limits;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::domain::{Clock, InstallationId, Timestamp};
use crate::plugin_host::{ArtifactKey, HostConfig, PluginHost, SeenPlugin};
use crate::replay::read::{Asked, Page, Setup, just_before};
use crate::replay::{Bound, Entry, PartKey, Recorded, Stage, Tally, Workshop, network};
use crate::secrets::{Entropy, SystemEntropy};

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
    /// left-out. May be given several times.
    #[arg(long = "fail-if", value_name = "BOUND")]
    fail_if: Vec<Bound>,
    /// Most differences to print as text; JSON has them all.
    #[arg(long, default_value_t = 20)]
    show: usize,
}

/// A bound was broken.
const BROKEN: u8 = 3;

pub(super) async fn run(config: &Config, json: bool, asked: Replay) -> anyhow::Result<ExitCode> {
    let wasm = plugin::bytes_of(&asked.candidate)?;
    let mut tally = Tally::default();
    let turns = read(config, &asked, &mut tally).await?;
    let stage = stage(config, &asked, &wasm, &turns).await?;
    network::give_up().context("nothing was replayed")?;
    play(&stage, &turns, &mut tally).await?;
    let broken: Vec<&str> = asked
        .fail_if
        .iter()
        .filter(|bound| !bound.holds(&tally))
        .map(Bound::text)
        .collect();
    match json {
        true => output::line(&as_json(&tally, &broken)),
        false => output::line(&text(&tally, &broken, asked.show)),
    }
    // A gate that has seen nothing must not open.
    ensure!(
        asked.fail_if.is_empty() || tally.compared() > 0,
        "no turn could be compared"
    );
    Ok(match broken.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(BROKEN),
    })
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

async fn stage(
    config: &Config,
    asked: &Replay,
    wasm: &[u8],
    turns: &[Recorded],
) -> anyhow::Result<Stage> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let host = PluginHost::start(HostConfig::new(threads, tokio::runtime::Handle::current()))?;
    let mut secret = [0; 32];
    SystemEntropy
        .fill(&mut secret)
        .map_err(anyhow::Error::msg)?;
    let workshop = Workshop {
        host: host.clone(),
        compiler: admin::compiler(config)?,
        key: ArtifactKey::new(secret),
        limits: plugin_limits(&config.plugins),
    };
    let own = setup(config, asked, asked.installation, None).await?;
    let candidate = workshop
        .candidate(asked.installation, &own, wasm)
        .await
        .context("the candidate cannot be tried")?;
    let ran = turns.iter().flat_map(|turn| &turn.seen.plugins);
    let ran: BTreeSet<PartKey> = ran.map(SeenPlugin::key).collect();
    let mut parts = HashMap::new();
    for key_of in ran {
        let (id, version) = key_of;
        let setup = setup(config, asked, id, Some(version)).await;
        let part = match &setup {
            Ok(setup) => {
                let wasm = STANDARD.decode(&setup.component)?;
                let part = workshop.original(id, setup, &wasm).await;
                part.map_err(anyhow::Error::from)
            }
            Err(error) => Err(anyhow::anyhow!("{error:#}")),
        };
        match part {
            Ok(part) => drop(parts.insert(key_of, part)),
            // Its turns are left out, and counted.
            Err(error) => output::note(&format!(
                "{id}, version {version}, cannot run again: {error:#}"
            )),
        }
    }
    Ok(Stage {
        host,
        tenant: own.tenant,
        contact_kinds: Arc::new(own.contact_kinds),
        parts,
        candidate,
    })
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

/// Turns under way at once: enough to keep every core busy.
const AT_ONCE: usize = 64;

async fn play(stage: &Stage, turns: &[Recorded], tally: &mut Tally) -> anyhow::Result<()> {
    let judged = futures::stream::iter(turns)
        .map(async |recorded| Ok::<_, anyhow::Error>((recorded, stage.judge(recorded).await?)))
        .buffered(AT_ONCE);
    futures::pin_mut!(judged);
    let (mut done, total) = (0, turns.len());
    let step = total.div_ceil(10).max(1);
    while let Some((recorded, verdict)) = judged.try_next().await? {
        tally.add(recorded, verdict);
        done += 1;
        if done % step == 0 || done == total {
            output::note(&format!("replayed {done} of {total} turns"));
        }
    }
    Ok(())
}

fn as_json(tally: &Tally, broken: &[&str]) -> String {
    let mut json = serde_json::json!(tally);
    json["turns"] = tally.turns().into();
    json["fuel_change_percent"] = tally.fuel_change().into();
    json["broken_bounds"] = serde_json::json!(broken);
    json.to_string()
}

fn text(tally: &Tally, broken: &[&str], show: usize) -> String {
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
    for difference in tally.differences.iter().take(show) {
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
    let more = tally.differences.len().saturating_sub(show);
    if more > 0 {
        lines.push(format!("\n… and {more} more: see --show or --json"));
    }
    lines.extend(broken.iter().map(|bound| format!("\nbroken: {bound}")));
    lines.join("\n")
}
