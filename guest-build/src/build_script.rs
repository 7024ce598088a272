//! For build scripts: guests into `OUT_DIR`, and cargo told when to run the script again.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{Guest, GuestSpec, Profile};

/// Builds the library of the package in `manifest_dir` (relative to the script's package), or the `examples` of it, into
/// `OUT_DIR/NAME.wasm`.
pub fn build(manifest_dir: &str, package: &str, examples: &[String]) -> Result<()> {
    let out_dir = out_dir()?;
    let spec = spec(&out_dir, manifest_dir, package, examples)?;
    hand_over(&out_dir, &crate::build(&spec)?)
}

/// Builds `examples` of the package once more, with the lines of their source, into `OUT_DIR/NAME_with_lines.wasm`.
pub fn build_with_lines(manifest_dir: &str, package: &str, examples: &[String]) -> Result<()> {
    let out_dir = out_dir()?;
    let spec = GuestSpec {
        profile: Profile::WithLines,
        ..spec(&out_dir, manifest_dir, package, examples)?
    };
    let mut guests = crate::build(&spec)?;
    for guest in &mut guests {
        guest.name.push_str("_with_lines");
    }
    hand_over(&out_dir, &guests)
}

/// Builds the libraries of several packages, each a pair of folder and name, by one cargo call.
pub fn build_together(packages: &[(&str, &str)]) -> Result<()> {
    let out_dir = out_dir()?;
    let spec = |(manifest_dir, package): &(&str, &str)| spec(&out_dir, manifest_dir, package, &[]);
    let specs: Vec<GuestSpec> = packages.iter().map(spec).collect::<Result<_>>()?;
    hand_over(&out_dir, &crate::build_together(&specs)?)
}

fn out_dir() -> Result<PathBuf> {
    let out_dir = env::var_os("OUT_DIR").context("only for build scripts")?;
    Ok(PathBuf::from(out_dir))
}

fn spec(
    out_dir: &Path,
    manifest_dir: &str,
    package: &str,
    examples: &[String],
) -> Result<GuestSpec> {
    let here = env::var_os("CARGO_MANIFEST_DIR").context("only for build scripts")?;
    Ok(GuestSpec {
        manifest_dir: fs::canonicalize(Path::new(&here).join(manifest_dir))?,
        package: package.to_owned(),
        library: None,
        examples: examples.to_vec(),
        target_dir: guest_target_dir(out_dir),
        profile: Profile::Small,
    })
}

fn hand_over(out_dir: &Path, guests: &[Guest]) -> Result<()> {
    for guest in guests {
        let path = out_dir.join(format!("{}.wasm", guest.name));
        write_if_changed(&path, &guest.component)?;
    }
    tell_sources(guests);
    Ok(())
}

/// `target/guests`, shared by all build scripts, profiles and packages of one target folder: whatever the guests have in
/// common is built once. `OUT_DIR` is `target/PROFILE/build/PACKAGE-HASH/out`, with the target's name in between when
/// cargo was given one.
fn guest_target_dir(out_dir: &Path) -> PathBuf {
    let is_build = |path: &&Path| path.file_name().is_some_and(|name| name == "build");
    let profile = out_dir.ancestors().find(is_build).and_then(Path::parent);
    let parent = profile.and_then(Path::parent).unwrap_or(out_dir);
    parent.join("guests")
}

/// A file that stays the same keeps its time, so that nothing which includes it is compiled again.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).with_context(|| path.display().to_string())
}

#[allow(clippy::print_stdout, reason = "how a build script speaks with cargo")]
fn tell_sources(guests: &[Guest]) {
    let sources: BTreeSet<_> = guests.iter().flat_map(|guest| &guest.sources).collect();
    for source in sources {
        println!("cargo::rerun-if-changed={}", source.display());
    }
}
