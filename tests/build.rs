//! Builds the guests of `guests/examples` for [`vestibule_tests::guests`], one constant each, and uploads that nobody wrote.

#[path = "src/chance.rs"]
mod chance;
#[path = "../gateway/src/plugin_host/testing/imports.rs"]
#[allow(dead_code, reason = "the gateway's own tests use the rest")]
mod imports;
#[path = "build/uploads.rs"]
mod uploads;

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use imports::{Contract, newest_release};

#[allow(
    clippy::disallowed_methods,
    reason = "cargo speaks to build scripts through the environment"
)]
fn out_dir() -> Option<PathBuf> {
    env::var_os("OUT_DIR").map(PathBuf::from)
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let names = names()?;
    vestibule_guest_build::build_script::build("guests", "vestibule-test-guests", &names)?;
    let with_lines = WITH_LINES.map(str::to_owned);
    vestibule_guest_build::build_script::build_with_lines(
        "guests",
        "vestibule-test-guests",
        &with_lines,
    )?;
    let mut constants = String::new();
    for name in &names {
        let constant = name.to_uppercase();
        let include = format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.wasm\"))");
        writeln!(
            constants,
            "/// `guests/examples/{name}.rs`.\npub const {constant}: &[u8] = {include};"
        )?;
        writeln!(constants)?;
    }
    for name in with_lines {
        let constant = name.to_uppercase();
        let file = format!("/{name}_with_lines.wasm");
        writeln!(
            constants,
            "/// `guests/examples/{name}.rs`, with debug information.\npub const {constant}_WITH_LINES: &[u8] =
                include_bytes!(concat!(env!(\"OUT_DIR\"), \"{file}\"));"
        )?;
    }
    let list = names
        .iter()
        .map(|name| format!("(\"{name}\", {}), ", name.to_uppercase()));
    let list: String = list.collect();
    writeln!(
        constants,
        "/// Every guest with its name.\npub const ALL: &[(&str, &[u8])] = &[{list}];"
    )?;
    let out_dir = out_dir().ok_or("cargo sets OUT_DIR")?;
    fs::write(out_dir.join("guests.rs"), constants)?;
    let newest = Contract::read(&newest_release(Path::new(WIT)));
    let contracts = [
        ("plugin", "0.1.0", fs::read_to_string(IMPORTS)?),
        ("newest", &newest.version, newest.imports_in_wat()),
    ];
    uploads::write(&out_dir.join("generated"), uploads_asked(), &contracts)
}

/// Guests that are also built with the lines of their source.
const WITH_LINES: [&str; 1] = ["trap"];

/// The contract 0.1.0 as a core module imports it.
const IMPORTS: &str = "../gateway/src/plugin_host/testing/imports.wat";

/// All its versions.
const WIT: &str = "../wit";

/// Uploads that are generated, unless `VESTIBULE_UPLOADS` says how many: about as many again are made of real ones.
const UPLOADS: u64 = 160;

#[allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "how a build script is spoken with"
)]
fn uploads_asked() -> u64 {
    println!("cargo::rerun-if-env-changed=VESTIBULE_UPLOADS");
    for path in [IMPORTS, WIT, "build", "src/chance.rs"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let asked = env::var("VESTIBULE_UPLOADS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(UPLOADS)
}

/// The guests' names, sorted. A guest that comes or goes runs this script again.
#[allow(clippy::print_stdout, reason = "how a build script speaks with cargo")]
fn names() -> Result<Vec<String>, Box<dyn Error>> {
    println!("cargo::rerun-if-changed=guests/examples");
    let mut names = Vec::new();
    for entry in fs::read_dir("guests/examples")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let stem = path.file_stem().ok_or("a file has a name")?;
            names.push(stem.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
