//! The compiling child: this same binary, started for one upload, bounded by the kernel from its first line on.
//!
//! A component comes in on stdin, its artifact goes out on stdout. Compiling is the most dangerous thing done with an
//! upload (a compile bomb is no vulnerability by wasmtime's policy), so it happens where nothing can be lost: no
//! environment, no open files, no network code runs, memory and CPU time end.

use std::io::{Read, Write};
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::engine::{self, EngineOptions};
use super::limits::COMPONENT_BYTES;

/// The hidden verb that `main` hands over to [`compile_child_main`].
pub const CHILD_VERB: &str = "compile-plugin";

/// The component is not valid; stderr says why.
pub(super) const REFUSED: u8 = 2;
/// The child could not do its work; stderr says why.
const FAILED: u8 = 3;

/// The whole life of the child: `compile-plugin MEMORY_BYTES CPU_SECONDS`.
///
/// Must run before the process starts threads or opens anything.
pub fn compile_child_main() -> ExitCode {
    let mut arguments = std::env::args().skip(2).map(|text| text.parse::<u64>());
    let (Some(Ok(memory)), Some(Ok(cpu_seconds))) = (arguments.next(), arguments.next()) else {
        return fail(FAILED, "usage: compile-plugin MEMORY_BYTES CPU_SECONDS");
    };
    if let Err(error) = confine(memory, cpu_seconds) {
        return fail(FAILED, &format!("cannot confine itself: {error}"));
    }
    let component = match read_component() {
        Ok(component) => component,
        Err(error) => return fail(FAILED, &format!("cannot read the component: {error}")),
    };
    match compile(&component) {
        Ok(artifact) => match std::io::stdout().lock().write_all(&artifact) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(FAILED, &format!("cannot hand over the artifact: {error}")),
        },
        Err(error) => fail(REFUSED, &format!("{error:#}")),
    }
}

/// Compiles with the gateway's engine settings. Only ever called where it may fail or never return.
pub(super) fn compile(component: &[u8]) -> wasmtime::Result<Vec<u8>> {
    engine::for_compiling(&EngineOptions::default())?.precompile_component(component)
}

fn read_component() -> std::io::Result<Vec<u8>> {
    let mut component = Vec::new();
    let most = COMPONENT_BYTES as u64 + 1;
    std::io::stdin()
        .lock()
        .take(most)
        .read_to_end(&mut component)?;
    Ok(component)
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
