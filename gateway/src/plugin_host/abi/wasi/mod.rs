//! WASI 0.2 for components of toolchains that cannot do without: a polite world in which there is nothing.
//!
//! JavaScript, Python and Rust's own `wasm32-wasip2` put `wasi:*` imports into what they build, and an ordinary exception
//! is only readable if writing it to stderr works. So there is an empty environment, no file, a closed stdin, clocks that
//! stand at the turn's time and randomness of the turn's seed; stdout and stderr are lines of the plugin's log. Nothing
//! here reaches further than the contract's own `log`, `clock` and `random`, and each call is counted and paid for like
//! theirs. Sockets and HTTP are not here: an upload that imports them is refused in words (`inspect.rs`).
//!
//! Written by us, not wasmtime-wasi: most of 2026's advisories lie in code that is then not linked (plugin-hosts.md §3.7).

mod cli;
mod clocks;
mod filesystem;
mod io;
mod random;

use wasmtime::component::Linker;

use crate::plugin_host::guest_state::GuestState;

type Wired = wasmtime::Result<()>;
type Interface<'a> = wasmtime::component::LinkerInstance<'a, GuestState>;

/// wasmtime's linker gives it to any import of 0.2.x: of one minor version all are compatible.
const VERSION: &str = "0.2.12";

const INTERFACES: [&str; 20] = [
    "cli/environment",
    "cli/exit",
    "cli/stdin",
    "cli/stdout",
    "cli/stderr",
    "cli/terminal-input",
    "cli/terminal-output",
    "cli/terminal-stdin",
    "cli/terminal-stdout",
    "cli/terminal-stderr",
    "clocks/monotonic-clock",
    "clocks/wall-clock",
    "filesystem/preopens",
    "filesystem/types",
    "io/error",
    "io/poll",
    "io/streams",
    "random/insecure",
    "random/insecure-seed",
    "random/random",
];

/// What an import of WASI's is to this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plugin_host) enum Wasi {
    Here,
    /// `wasi:sockets` or `wasi:http`.
    Network,
    /// Of another version, or none that this host has.
    Unknown,
}

/// None when `import` is not WASI's.
pub(in crate::plugin_host) fn known(import: &str) -> Option<Wasi> {
    let rest = import.strip_prefix("wasi:")?;
    let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
    let patch = version.strip_prefix("0.2.").unwrap_or("");
    let fits = !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit());
    Some(match interface.split('/').next() {
        Some("sockets" | "http") => Wasi::Network,
        _ if fits && INTERFACES.contains(&interface) => Wasi::Here,
        _ => Wasi::Unknown,
    })
}

pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> Wired {
    io::wire(linker)?;
    cli::wire(linker)?;
    clocks::wire(linker)?;
    filesystem::wire(linker)?;
    random::wire(linker)
}

fn name(interface: &str) -> String {
    format!("wasi:{interface}@{VERSION}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_0_2_every_patch_is_here_and_nothing_else() {
        for version in ["0.2.0", "0.2.6", "0.2.12", "0.2.99"] {
            let import = format!("wasi:cli/environment@{version}");
            assert_eq!(known(&import), Some(Wasi::Here), "{import}");
        }
        for import in [
            "wasi:cli/environment@0.2.0-rc-2023-12-05",
            "wasi:cli/environment@0.2.",
            "wasi:cli/environment@0.3.0",
            "wasi:cli/environment",
            "wasi:cli/run@0.2.0",
            "wasi:keyvalue/store@0.2.0",
            "wasi:",
        ] {
            assert_eq!(known(import), Some(Wasi::Unknown), "{import}");
        }
        for import in ["wasi:sockets/tcp@0.2.6", "wasi:http/types@0.3.0"] {
            assert_eq!(known(import), Some(Wasi::Network), "{import}");
        }
        assert_eq!(known("vestibule:plugin/log@0.2.0"), None);
        assert_eq!(known("wasix:cli/environment@0.2.0"), None);
    }
}
