//! The `vestibule` binary: hands over to the library.

use std::process::ExitCode;

use vestibule::plugin_host::{CHILD_VERB, child_main};

/// A turn allocates much and small, on many threads, and so does SQLite, which this serves as well
/// (`docs/performance.md` has what it saves).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything else: the child confines itself while it has neither threads nor open files.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|verb| verb == CHILD_VERB)
    {
        return child_main();
    }
    vestibule::cli::main()
}
