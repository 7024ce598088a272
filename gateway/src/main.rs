//! The `vestibule` binary: hands over to the library.

use std::process::ExitCode;

use vestibule::plugin_host::{CHILD_VERB, child_main};
use vestibule::replay;

/// A turn allocates much and small, on many threads, and so does SQLite, which this serves as well
/// (`docs/performance.md` has what it saves).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything else: a child confines itself while it has neither threads nor open files.
    match std::env::args_os().nth(1) {
        Some(verb) if verb == CHILD_VERB => child_main(),
        Some(verb) if verb == replay::child::VERB => replay::child::main(),
        _ => vestibule::cli::main(),
    }
}
