//! The nested cargo call: one for all guests of a specification, and which files each was made from.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::target::TARGET;
use crate::{GuestSpec, Profile};

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Small => "guest",
            Self::WithLines => "guest-lines",
        }
    }

    /// What it says, as cargo's configuration: a package needs no profiles of its own. Small, no unwinding.
    fn settings(self) -> Vec<String> {
        let (strip, debug) = match self {
            Self::Small => ("debuginfo", "none"),
            Self::WithLines => ("none", "line-tables-only"),
        };
        let settings = [
            ("inherits", r#""release""#.to_owned()),
            ("opt-level", r#""s""#.to_owned()),
            ("lto", "true".to_owned()),
            ("codegen-units", "1".to_owned()),
            ("panic", r#""abort""#.to_owned()),
            ("strip", format!("{strip:?}")),
            ("debug", format!("{debug:?}")),
        ];
        let setting = |(key, value)| format!("profile.{}.{key}={value}", self.name());
        settings.into_iter().map(setting).collect()
    }
}

/// A plugin's shadow stack. Rust's default of 1 MiB would be most of its memory, and the host pays for memory. A guess:
/// parsing deep JSON takes some 30 KiB.
const STACK_BYTES: usize = 128 << 10;

/// What the build that runs us says about itself, and must not say about the plugin.
const NOT_INHERITED: [&str; 8] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
];

/// A module as cargo leaves it.
pub(crate) struct CoreModule {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) sources: Vec<PathBuf>,
}

pub(crate) fn build(spec: &GuestSpec) -> Result<Vec<CoreModule>> {
    run(command_of(spec), &spec.package)?;
    modules_of(spec)
}

/// What is typed to build all of `spec`.
pub(crate) fn command_of(spec: &GuestSpec) -> Command {
    let mut command = command(spec);
    command.args(["--package", &spec.package]);
    if spec.examples.is_empty() {
        command.arg("--lib");
        return command;
    }
    // Examples ask for this feature, so that native builds of the workspace leave them out.
    command.args(["--features", "guests"]);
    for example in &spec.examples {
        command.args(["--example", example]);
    }
    command
}

/// What that command leaves.
pub(crate) fn modules_of(spec: &GuestSpec) -> Result<Vec<CoreModule>> {
    let folder = folder(spec);
    if spec.examples.is_empty() {
        return Ok(vec![library(spec, &folder)?]);
    }
    let folder = folder.join("examples");
    let module = |name: &String| module(name, &folder, name);
    spec.examples.iter().map(module).collect()
}

/// The libraries of `specs`, with the workspace and the target folder of `first`.
pub(crate) fn build_together(first: &GuestSpec, specs: &[GuestSpec]) -> Result<Vec<CoreModule>> {
    let mut command = command(first);
    command.arg("--lib");
    for spec in specs {
        command.args(["--package", &spec.package]);
    }
    let names: Vec<_> = specs.iter().map(|spec| spec.package.as_str()).collect();
    run(command, &names.join(", "))?;
    let folder = folder(first);
    specs.iter().map(|spec| library(spec, &folder)).collect()
}

fn library(spec: &GuestSpec, folder: &Path) -> Result<CoreModule> {
    let name = spec.library.as_ref().unwrap_or(&spec.package);
    module(&spec.package, folder, &name.replace('-', "_"))
}

fn folder(spec: &GuestSpec) -> PathBuf {
    spec.target_dir.join(TARGET).join(spec.profile.name())
}

/// What cargo says stands in the error when it fails.
fn run(mut command: Command, what: &str) -> Result<()> {
    let output = command
        .output()
        .context("cannot run cargo for the plugins")?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("the plugins of {what} do not build:\n{errors}");
    }
    Ok(())
}

/// What cargo knows of a package.
#[derive(Debug)]
pub struct Package {
    pub name: String,
    /// The name of its library, which is another one where its author says so.
    pub library: String,
    /// Its own, or its workspace's.
    pub target_dir: PathBuf,
    /// The folder itself where it is in no workspace.
    pub workspace: PathBuf,
}

/// The package whose `Cargo.toml` stands in a folder. One whose library cannot become a plugin is an error.
pub fn package_in(manifest_dir: &Path) -> Result<Package> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Known>,
        target_directory: PathBuf,
        workspace_root: PathBuf,
    }
    #[derive(Deserialize)]
    struct Known {
        name: String,
        manifest_path: PathBuf,
        targets: Vec<Target>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }
    let manifest = fs::canonicalize(manifest_dir.join("Cargo.toml"))
        .with_context(|| format!("no Cargo.toml in {}", manifest_dir.display()))?;
    let mut command = bare_command();
    command.args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--manifest-path",
    ]);
    let output = command
        .arg(&manifest)
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{} does not read:\n{errors}", manifest.display());
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let here = |package: &Known| package.manifest_path == manifest;
    let package = metadata.packages.into_iter().find(here);
    let package = package.with_context(|| format!("{} names no package", manifest.display()))?;
    let is_plugin = |target: &Target| target.kind.iter().any(|kind| kind == "cdylib");
    let library = package.targets.into_iter().find(is_plugin);
    let library = library.with_context(|| {
        let manifest = manifest.display();
        format!(
            "{manifest} has no library that can be a plugin: it needs a [lib] with crate-type = [\"cdylib\", \"lib\"]"
        )
    })?;
    Ok(Package {
        name: package.name,
        library: library.name,
        target_dir: metadata.target_directory,
        workspace: metadata.workspace_root,
    })
}

/// `cargo`, for whoever builds nothing of ours: with everything that is said to this process.
pub fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn bare_command() -> Command {
    let mut command = cargo();
    for name in NOT_INHERITED {
        command.env_remove(name);
    }
    command
}

/// Without what is to be built.
fn command(spec: &GuestSpec) -> Command {
    let mut command = bare_command();
    for setting in spec.profile.settings() {
        command.args(["--config", &setting]);
    }
    command
        .current_dir(&spec.manifest_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags())
        .args([
            "build",
            "--target",
            TARGET,
            "--profile",
            spec.profile.name(),
        ])
        .arg("--target-dir")
        .arg(&spec.target_dir);
    command
}

fn flags() -> String {
    // The separator is cargo's for this variable.
    ["-C", &format!("link-arg=-zstack-size={STACK_BYTES}")].join("\u{1f}")
}

fn module(name: &str, folder: &Path, stem: &str) -> Result<CoreModule> {
    let listing = folder.join(format!("{stem}.d"));
    let text = fs::read_to_string(&listing).with_context(|| listing.display().to_string())?;
    Ok(CoreModule {
        name: name.to_owned(),
        path: folder.join(format!("{stem}.wasm")),
        sources: sources_in(&text),
    })
}

/// The files right of the colon in cargo's make-style listing; spaces within a path are escaped.
fn sources_in(listing: &str) -> Vec<PathBuf> {
    let Some((_, sources)) = listing.lines().next().and_then(|l| l.split_once(": ")) else {
        return Vec::new();
    };
    let marked = sources.replace("\\ ", "\0");
    let paths = marked.split(' ').filter(|path| !path.is_empty());
    paths
        .map(|path| PathBuf::from(path.replace('\0', " ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_names_the_sources_with_their_spaces() {
        let listing = "/t/menu.wasm: /a/src/lib.rs /my\\ code/mod.rs\n";
        let expected = ["/a/src/lib.rs", "/my code/mod.rs"].map(PathBuf::from);
        assert_eq!(sources_in(listing), expected);
        assert!(sources_in("").is_empty());
    }
}
