//! The wasm target of the toolchain in use: there, or added through rustup, or one command to type.
//!
//! `rust-toolchain.toml` names the target too, but a rustup with automatic installation switched off does not act on it.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// What plugins are compiled for: no WASI, no imports but the contract's.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Makes sure that the toolchain in use can compile plugins, and adds what is missing. `lock_dir` keeps the lock that
/// lets only one process at a time ask rustup. Fails with the command to type.
pub fn ensure_target(lock_dir: &Path) -> Result<()> {
    if is_installed()? {
        return Ok(());
    }
    fs::create_dir_all(lock_dir).with_context(|| lock_dir.display().to_string())?;
    let lock = File::create(lock_dir.join("rustup.lock"))?;
    lock.lock()?;
    if is_installed()? {
        return Ok(());
    }
    add()
}

fn is_installed() -> Result<bool> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc)
        .args(["--print", "sysroot"])
        .output()
        .with_context(|| format!("cannot run {}", rustc.display()))?;
    let sysroot = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    let libraries = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    Ok(libraries.is_dir())
}

fn add() -> Result<()> {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    let mut typed = format!("rustup target add {TARGET}");
    // Set by rustup's own proxy when cargo was started through it.
    if let Some(toolchain) = env::var_os("RUSTUP_TOOLCHAIN") {
        rustup.arg("--toolchain").arg(&toolchain);
        typed = format!("{typed} --toolchain {}", toolchain.display());
    }
    let added = rustup.status().is_ok_and(|status| status.success());
    if !added || !is_installed()? {
        bail!("plugins need the compilation target {TARGET}; type: {typed}");
    }
    Ok(())
}
