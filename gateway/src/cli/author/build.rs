//! `vestibule plugin build`: from Rust sources, or from what another tool compiled, to a component that can be uploaded.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Serialize;
use vestibule_guest_build::{Manifest, Profile, component_of, with_manifest};
use wasmparser::Parser;

use super::sources::{Cargo, Sources};
use crate::cli::output;
use crate::plugin_host::{self, ComponentDigest, Inspection, inspect};

#[derive(Debug, Args)]
pub(in crate::cli) struct Build {
    /// The folder of a Rust package with its `plugin.toml`; or a file that another tool compiled: a component, or a core
    /// module that carries its WIT types.
    #[arg(default_value = ".")]
    from: PathBuf,
    /// What the plugin says of itself, for a file. Default: `plugin.toml` beside it. (A package has its own.)
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Keep the lines of the source, which `plugin trace` then shows of a panic. Of a package only.
    #[arg(long)]
    with_lines: bool,
    /// Where the component goes. Default: `NAME.wasm` in the package's target folder, or beside the file.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What was built.
#[derive(Debug, Serialize)]
pub(super) struct Built {
    pub file: PathBuf,
    bytes: usize,
    digest: String,
    name: String,
    version: String,
    interfaces: Vec<String>,
    grants: Vec<String>,
}

impl Build {
    pub(in crate::cli) async fn run(self, json: bool) -> anyhow::Result<()> {
        let (component, folder) = match self.from.is_dir() {
            true => self.of_package().await?,
            false => self.of_file()?,
        };
        let inspection = inspected(&component)?;
        let manifest = &inspection.manifest;
        let file = match self.out {
            Some(file) => file,
            None => folder.join(format!("{}.wasm", manifest.name)),
        };
        ensure!(
            !same_file(&file, &self.from),
            "{} is what it is made from: say with --out where it goes",
            file.display()
        );
        let built = Built::write(file, &component, manifest)?;
        built.print(json)
    }

    /// The component, and the folder where it goes.
    async fn of_package(&self) -> anyhow::Result<(Vec<u8>, PathBuf)> {
        ensure!(
            self.manifest.is_none(),
            "a package's manifest is the plugin.toml in its folder: --manifest is for files"
        );
        let sources = Sources::in_folder(&self.from).await?;
        let profile = match self.with_lines {
            true => Profile::WithLines,
            false => Profile::Small,
        };
        let guest = sources.build(profile, Cargo::Talks).await?;
        Ok((guest.component, sources.package.target_dir))
    }

    fn of_file(&self) -> anyhow::Result<(Vec<u8>, PathBuf)> {
        ensure!(
            !self.with_lines,
            "--with-lines is for packages: a file has the lines that it was compiled with"
        );
        let bytes =
            fs::read(&self.from).with_context(|| format!("cannot read {}", self.from.display()))?;
        let folder = self.from.parent().unwrap_or(Path::new("")).to_owned();
        let beside = folder.join("plugin.toml");
        let path = self.manifest.as_ref().unwrap_or(&beside);
        let (manifest, _) = Manifest::read(path).with_context(|| path.display().to_string())?;
        let component = match Parser::is_core_wasm(&bytes) {
            true => component_of(&bytes)?,
            false => bytes,
        };
        Ok((with_manifest(component, &manifest)?, folder))
    }
}

/// As an upload of it would be.
fn inspected(component: &[u8]) -> anyhow::Result<Inspection> {
    inspect(component).or_else(|refused| {
        let problems = refused.problems.iter();
        let problems: Vec<String> = problems.map(|problem| format!("\n  {problem}")).collect();
        bail!("a gateway would refuse it:{}", problems.concat())
    })
}

fn same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    real(one).is_some_and(|path| Some(path) == real(other))
}

impl Built {
    /// Puts the component where it goes.
    pub(super) fn write(
        file: PathBuf,
        component: &[u8],
        manifest: &plugin_host::Manifest,
    ) -> anyhow::Result<Self> {
        fs::write(&file, component).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(Self {
            bytes: component.len(),
            digest: ComponentDigest::of(component).to_string(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            interfaces: manifest.interfaces.clone(),
            grants: manifest.grants.iter().cloned().collect(),
            file,
        })
    }

    /// Where it is, and what.
    pub(super) fn headline(&self) -> String {
        let Self {
            name,
            version,
            bytes,
            ..
        } = self;
        format!("{}: {name} {version}, {bytes} bytes", self.file.display())
    }

    fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            output::line(&serde_json::to_string(self)?);
            return Ok(());
        }
        let file = self.file.display();
        let list = |words: &[String]| match words.is_empty() {
            true => "none".to_owned(),
            false => words.join(", "),
        };
        output::line(&self.headline());
        output::line(&format!("digest  {}", self.digest));
        output::line(&format!("hooks   {}", list(&self.interfaces)));
        output::line(&format!("grants  {}", list(&self.grants)));
        output::line(&format!(
            "next    vestibule plugin push {file} --tenant TENANT"
        ));
        Ok(())
    }
}
