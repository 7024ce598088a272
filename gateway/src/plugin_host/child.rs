//! The limited child: this same binary, started for one piece of work on what a tenant uploaded, bounded by the kernel
//! from its first line on.
//!
//! Input comes in on stdin, the result goes out on stdout. Compiling is the most dangerous thing done with an upload (a
//! compile bomb is no vulnerability by wasmtime's policy), and a JSON Schema is a small program too. So both happen where
//! nothing can be lost: no environment of the operator, no open files, no network code runs, memory and CPU time end.

use std::io::{Read, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::engine::{self, EngineOptions};
use super::limits::{COMPONENT_BYTES, MANIFEST_BYTES, SETTINGS_BYTES};
use super::{settings, source_lines};

/// The hidden verb that `main` hands over to [`child_main`].
pub const CHILD_VERB: &str = "plugin-child";

/// The input is not valid; stderr says why.
pub(super) const REFUSED: u8 = 2;
/// The child could not do its work; stderr says why.
const FAILED: u8 = 3;

/// What a child is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// A component in, its artifact out.
    Compile,
    /// A schema and settings in ([`settings::question`]), what is to be said of them out.
    CheckSettings,
    /// A component and places in it in ([`source_lines::question`]), the lines of their source out.
    SourceLines,
}

impl Work {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Compile => "compile",
            Self::CheckSettings => "check-settings",
            Self::SourceLines => "source-lines",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Compile, Self::CheckSettings, Self::SourceLines];
        all.into_iter().find(|work| work.word() == word)
    }

    fn most_input(self) -> usize {
        match self {
            Self::Compile => COMPONENT_BYTES,
            Self::CheckSettings => MANIFEST_BYTES + SETTINGS_BYTES + 1,
            Self::SourceLines => COMPONENT_BYTES + source_lines::QUESTION_BYTES,
        }
    }

    fn run(self, input: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::Compile => compile(input).map_err(|error| format!("{error:#}")),
            Self::CheckSettings => settings::answer(input),
            Self::SourceLines => source_lines::answer(input),
        }
    }
}

/// The whole life of the child: `plugin-child WORK MEMORY_BYTES CPU_SECONDS`.
///
/// Must run before the process starts threads or opens anything.
pub fn child_main() -> ExitCode {
    let mut arguments = std::env::args().skip(2);
    let work = arguments.next().and_then(|word| Work::from_word(&word));
    let mut numbers = arguments.map(|text| text.parse::<u64>());
    let (Some(work), Some(Ok(memory)), Some(Ok(cpu_seconds))) =
        (work, numbers.next(), numbers.next())
    else {
        return fail(FAILED, "usage: plugin-child WORK MEMORY_BYTES CPU_SECONDS");
    };
    if let Err(error) = confine(memory, cpu_seconds) {
        return fail(FAILED, &format!("cannot confine itself: {error}"));
    }
    let input = match read_input(work.most_input()) {
        Ok(input) => input,
        Err(error) => return fail(FAILED, &format!("cannot read its input: {error}")),
    };
    match work.run(&input) {
        Ok(output) => match std::io::stdout().lock().write_all(&output) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(FAILED, &format!("cannot hand over the result: {error}")),
        },
        Err(why) => fail(REFUSED, &why),
    }
}

/// Compiles with the gateway's engine settings. Only ever called where it may fail or never return.
pub(super) fn compile(component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    let options = EngineOptions::default();
    let engine = match source_lines::are_carried(component) {
        true => engine::for_compiling_with_map(&options),
        false => engine::for_compiling(&options),
    };
    engine?.precompile_component(component)
}

fn read_input(most: usize) -> std::io::Result<Vec<u8>> {
    let mut input = Vec::new();
    let stdin = std::io::stdin().lock();
    stdin.take(most as u64 + 1).read_to_end(&mut input)?;
    Ok(input)
}

/// Files that a process of ours needs open: the three standard streams and what the runtime looks at for a moment.
const OPEN_FILES: u64 = 16;

fn confine(memory: u64, cpu_seconds: u64) -> std::io::Result<()> {
    let limits = [
        (Resource::As, memory, memory),
        // The soft limit's signal says why; the hard one's could be anybody's.
        (Resource::Cpu, cpu_seconds, cpu_seconds.saturating_add(1)),
        (Resource::Fsize, 0, 0),
        (Resource::Core, 0, 0),
        (Resource::Nofile, OPEN_FILES, OPEN_FILES),
    ];
    for (resource, soft, hard) in limits {
        let limit = Rlimit {
            current: Some(soft),
            maximum: Some(hard),
        };
        setrlimit(resource, limit)?;
    }
    close_inherited();
    // It must not outlive its parent, and it may wait for everybody else.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    rustix::thread::set_no_new_privs(true)?;
    rustix::process::nice(10)?;
    Ok(())
}

/// Rust opens everything close-on-exec; a library that does not would leak a socket or a database to the child.
fn close_inherited() {
    // SAFETY: nothing in this process has opened a file yet, so nobody owns what is closed here.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32);
    }
}

#[allow(
    clippy::print_stderr,
    reason = "stderr is how the child tells its parent why"
)]
fn fail(code: u8, why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::from(code)
}
