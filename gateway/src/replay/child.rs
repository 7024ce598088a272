//! A replay in a process of its own, for a job of the API: the serving role reads the journal and never runs a candidate.
//!
//! The same binary, started again with nothing of the operator's environment. All that it needs comes in on stdin, one JSON
//! value a line ([`Told`]); what it has to say goes out on stdout ([`Said`]). It has no database, and gives up its sockets
//! before the first guest runs, as the command line does.

use std::io::{BufRead, Write};
use std::process::ExitCode;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bound::{Bound, BoundError};
use super::read::Setup;
use super::recorded::Entry;
use super::rehearsal::{News, Rehearsal, report, with_causes};
use super::stage::{PartKey, Workshop};
use super::tally::Tally;
use crate::domain::InstallationId;
use crate::plugin_host::{CompileLimits, Compiler, Limits};

/// The hidden verb that `main` hands over to [`main`].
pub const VERB: &str = "replay-child";

/// CPU seconds of one replay: ten thousand turns of a Rust plugin take some ten.
const CPU_SECONDS: u64 = 1_800;
/// Differences that are told whole; the rest are counted. A job's result is one row.
const DIFFERENCES: usize = 200;

/// What the child is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Told {
    Entry(Box<Entry>),
    /// What ran in some of the turns.
    Part(PartKey, Box<Setup>),
    /// The last line.
    Begin(Box<Begin>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Begin {
    pub(super) installation: InstallationId,
    /// Base64.
    pub(super) candidate: String,
    pub(super) own: Setup,
    pub(super) bounds: Vec<String>,
    pub(super) limits: Limits,
    pub(super) compile: CompileLimits,
}

/// What it says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Said {
    Replayed { done: usize, total: usize },
    Report(Value),
    Refused(String),
}

/// The whole life of the child.
pub fn main() -> ExitCode {
    let said = match confine().map_err(|error| format!("cannot confine itself: {error}")) {
        Ok(()) => replay(),
        Err(why) => Err(why),
    };
    say(&match said {
        Ok(report) => Said::Report(report),
        Err(why) => Said::Refused(why),
    });
    ExitCode::SUCCESS
}

fn confine() -> std::io::Result<()> {
    for (resource, most) in [(Resource::Cpu, CPU_SECONDS), (Resource::Core, 0)] {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        setrlimit(resource, limit)?;
    }
    // It must not outlive its parent, and it may wait for everybody else.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::thread::set_no_new_privs(true)?;
    rustix::process::nice(10)?;
    Ok(())
}

/// A line that cannot be said has nobody to read it.
fn say(said: &Said) {
    let mut out = std::io::stdout().lock();
    let line = serde_json::to_string(said).unwrap_or_default();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn replay() -> Result<Value, String> {
    let (rehearsal, begin) = listen()?;
    let bounds = begin.bounds.iter().map(|bound| bound.parse());
    let bounds: Vec<Bound> = bounds
        .collect::<Result<_, BoundError>>()
        .map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let exe = std::env::current_exe().map_err(|error| error.to_string())?;
    let tally = runtime.block_on(async {
        let workshop = Workshop::open(Compiler::new(exe, begin.compile), begin.limits)
            .map_err(|error| with_causes(&error))?;
        let tally = rehearsal.run(workshop, &mut tell).await;
        tally.map_err(|error| with_causes(&error))
    })?;
    Ok(bounded(&tally, &bounds))
}

fn tell(news: News) {
    match news {
        News::Replayed { done, total } => say(&Said::Replayed { done, total }),
        // The report counts the turns of it.
        News::Gone(_) => {}
    }
}

fn bounded(tally: &Tally, bounds: &[Bound]) -> Value {
    let mut report = report(tally, bounds);
    if let Some(differences) = report["differences"].as_array_mut() {
        differences.truncate(DIFFERENCES);
    }
    report
}

/// Reads up to the last line.
fn listen() -> Result<(Rehearsal, Begin), String> {
    let (mut turns, mut parts, mut tally) = (Vec::new(), Vec::new(), Tally::default());
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        match serde_json::from_str(&line).map_err(|error| error.to_string())? {
            Told::Entry(entry) => match *entry {
                Entry::Whole(recorded) => turns.push(*recorded),
                Entry::Left { why, .. } => tally.leave(why),
            },
            Told::Part(key, setup) => parts.push((key, *setup)),
            Told::Begin(begin) => {
                let candidate = STANDARD.decode(&begin.candidate);
                let rehearsal = Rehearsal {
                    installation: begin.installation,
                    candidate: candidate.map_err(|error| error.to_string())?,
                    own: begin.own.clone(),
                    parts,
                    turns,
                    tally,
                };
                return Ok((rehearsal, *begin));
            }
        }
    }
    Err("it was not told to begin".to_owned())
}
