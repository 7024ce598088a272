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
/// Who goes first when the machine has no memory left: this process, and never the gateway that started it.
const OOM_SCORE: &str = "1000";

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

/// The whole life of the child: `replay-child MEMORY_BYTES`.
pub fn main() -> ExitCode {
    let memory = std::env::args().nth(2).and_then(|text| text.parse().ok());
    let confined = match memory {
        Some(memory) => confine(memory).map_err(|error| format!("cannot confine itself: {error}")),
        None => Err("usage: replay-child MEMORY_BYTES".to_owned()),
    };
    let said = confined.and_then(|()| replay());
    let said = said.map(Said::Report).unwrap_or_else(Said::Refused);
    say(&said);
    ExitCode::SUCCESS
}

/// `memory` counts what can be written to. Guests' memories are set aside by the terabyte and written to by the megabyte,
/// so that a bound of addresses, as the compiling child has one, would mean nothing here.
fn confine(memory: u64) -> std::io::Result<()> {
    let limits = [
        (Resource::Data, memory, memory),
        // The soft limit's signal says why; the hard one's could be anybody's.
        (Resource::Cpu, CPU_SECONDS, CPU_SECONDS + 1),
        (Resource::Core, 0, 0),
    ];
    for (resource, soft, hard) in limits {
        let limit = Rlimit {
            current: Some(soft),
            maximum: Some(hard),
        };
        setrlimit(resource, limit)?;
    }
    // A container may show `/proc` read-only. The bound above holds all the same.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
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
    Ok(report(&tally, &bounds))
}

fn tell(news: News) {
    match news {
        News::Replayed { done, total } => say(&Said::Replayed { done, total }),
        // The report counts the turns of it.
        News::Gone(_) => {}
    }
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
