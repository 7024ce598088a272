//! Builds plugins: Rust sources and a `plugin.toml` become one component with its manifest inside.
//!
//! Used by build scripts (the reference plugins, the test guests) and by `vestibule plugin build`. It runs cargo and rustup
//! and nothing else; it never looks at what a plugin does. The ways in are [`build`], its two halves [`prepare`] and [`collect`]
//! for whoever wants to end cargo before it ends, [`component_of`] for what another tool compiled, and in a build script
//! [`build_script::build`].

#![allow(
    clippy::disallowed_methods,
    reason = "Cargo talks to build scripts through the environment"
)]

pub mod build_script;
mod cargo;
mod component;
mod manifest;
mod needed;
mod target;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

pub use cargo::{Package, cargo, package_in};
pub use component::{MANIFEST_SECTION, component_of, with_manifest};
pub use manifest::{Manifest, is_name};
pub use needed::{needed_by, plain_path};
pub use target::ensure_target;

/// What to build. All guests of one specification are built by one cargo call.
#[derive(Debug, Clone)]
pub struct GuestSpec {
    /// The folder with the package's `Cargo.toml`.
    pub manifest_dir: PathBuf,
    /// The package's name.
    pub package: String,
    /// The name of its library. None: the package's.
    pub library: Option<String>,
    /// Its examples that are plugins; none means that the package's library is the one plugin.
    pub examples: Vec<String>,
    /// Where cargo works. Never the target folder of a cargo that waits for us: it holds that folder's lock.
    pub target_dir: PathBuf,
    pub profile: Profile,
}

/// How cargo builds: the same for every plugin, whatever profiles its workspace has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As plugins are shipped: small, without debug information.
    Small,
    /// With the lines of its source.
    WithLines,
}

/// One built plugin.
#[derive(Debug)]
pub struct Guest {
    /// The example's or the package's name.
    pub name: String,
    /// The component, manifest included.
    pub component: Vec<u8>,
    /// Every file it was made from.
    pub sources: Vec<PathBuf>,
}

/// Builds every plugin of `spec`, in its order.
///
/// A package's manifest is `plugin.toml` beside its `Cargo.toml`; an example's is `examples/NAME.toml`, and when there is
/// none, the package's with the example's name.
pub fn build(spec: &GuestSpec) -> Result<Vec<Guest>> {
    ensure_target(&spec.target_dir)?;
    finish_all(spec, cargo::build(spec)?)
}

/// The command that compiles every plugin of `spec`, for whoever runs it by themselves: its output is theirs, too. When it
/// has succeeded, [`collect`] makes the plugins.
pub fn prepare(spec: &GuestSpec) -> Result<Command> {
    ensure_target(&spec.target_dir)?;
    Ok(cargo::command_of(spec))
}

/// The plugins of `spec`, of what the command of [`prepare`] has compiled.
pub fn collect(spec: &GuestSpec) -> Result<Vec<Guest>> {
    finish_all(spec, cargo::modules_of(spec)?)
}

fn finish_all(spec: &GuestSpec, modules: Vec<cargo::CoreModule>) -> Result<Vec<Guest>> {
    let finish = |module| finish(spec, &module);
    modules.into_iter().map(finish).collect()
}

/// Builds the libraries of several packages of one workspace by one cargo call, so that they share their dependencies and
/// are compiled side by side. In the order of `specs`, none of which has examples; they name one `target_dir`.
pub fn build_together(specs: &[GuestSpec]) -> Result<Vec<Guest>> {
    let Some(first) = specs.first() else {
        return Ok(Vec::new());
    };
    ensure_target(&first.target_dir)?;
    let modules = cargo::build_together(first, specs)?;
    let finish = |(spec, module)| finish(spec, &module);
    specs.iter().zip(modules).map(finish).collect()
}

fn finish(spec: &GuestSpec, module: &cargo::CoreModule) -> Result<Guest> {
    finished(spec, module).with_context(|| format!("guest {}", module.name))
}

fn finished(spec: &GuestSpec, module: &cargo::CoreModule) -> Result<Guest> {
    let (manifest, mut sources) = manifest_of(spec, &module.name)?;
    let bytes = std::fs::read(&module.path)
        .with_context(|| format!("cargo built no {}", module.path.display()))?;
    let component = component_of(&bytes)?;
    sources.push(spec.manifest_dir.join("Cargo.toml"));
    sources.extend(module.sources.iter().cloned());
    Ok(Guest {
        name: module.name.clone(),
        component: with_manifest(component, &manifest)?,
        sources,
    })
}

fn manifest_of(spec: &GuestSpec, name: &str) -> Result<(Manifest, Vec<PathBuf>)> {
    let own = spec.manifest_dir.join(format!("examples/{name}.toml"));
    if !spec.examples.is_empty() && own.exists() {
        return read_manifest(&own);
    }
    let (mut manifest, sources) = read_manifest(&spec.manifest_dir.join("plugin.toml"))?;
    if !spec.examples.is_empty() {
        manifest.name = name.replace('_', "-");
    }
    Ok((manifest, sources))
}

fn read_manifest(path: &Path) -> Result<(Manifest, Vec<PathBuf>)> {
    Manifest::read(path).with_context(|| path.display().to_string())
}
