//! The folder that an author works in: what is asked of it, and how it becomes a component.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use vestibule_guest_build::{
    Guest, GuestSpec, Package, Profile, collect, ensure_target, package_in, prepare,
};

use crate::sync::blocking;

/// A folder with a package that can become a plugin.
#[derive(Debug)]
pub(super) struct Sources {
    /// Without links in it.
    pub folder: PathBuf,
    pub package: Package,
}

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotBuilt {
    /// Cargo has said why.
    #[error("{0} does not compile")]
    Uncompiled(String),
    /// It compiles, and is no plugin.
    #[error("{0:#}")]
    Refused(anyhow::Error),
}

/// What cargo says, which goes where ours goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cargo {
    Talks,
    /// Only of what is wrong.
    Complains,
}

impl Sources {
    pub(super) async fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.to_owned();
        blocking(move || Self::look(&folder)).await
    }

    fn look(folder: &Path) -> anyhow::Result<Self> {
        let package = package_in(folder)?;
        let folder = std::fs::canonicalize(folder)?;
        ensure!(
            folder.join("plugin.toml").is_file(),
            "no plugin.toml in {}: it is what a plugin says of itself (plugin-sdk/README.md)",
            folder.display()
        );
        Ok(Self { folder, package })
    }

    /// Makes sure that the toolchain can compile plugins, or says what to type.
    pub(super) async fn ensure_target(&self) -> anyhow::Result<()> {
        let target_dir = self.package.target_dir.clone();
        blocking(move || ensure_target(&target_dir)).await
    }

    /// The component. Dropping the future ends cargo.
    pub(super) async fn build(&self, profile: Profile, cargo: Cargo) -> Result<Guest, NotBuilt> {
        let spec = GuestSpec {
            manifest_dir: self.folder.clone(),
            package: self.package.name.clone(),
            library: Some(self.package.library.clone()),
            examples: Vec::new(),
            target_dir: self.package.target_dir.clone(),
            profile,
        };
        self.compile(&spec, cargo).await?;
        let collect = move || collect(&spec)?.pop().context("cargo built nothing");
        blocking(collect).await.map_err(NotBuilt::Refused)
    }

    async fn compile(&self, spec: &GuestSpec, cargo: Cargo) -> Result<(), NotBuilt> {
        let spec = spec.clone();
        let command = blocking(move || prepare(&spec)).await;
        let mut command = command.map_err(NotBuilt::Refused)?;
        if cargo == Cargo::Complains {
            command.arg("--quiet");
        }
        let status = tokio::process::Command::from(command)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .status()
            .await
            .context("cannot run cargo")
            .map_err(NotBuilt::Refused)?;
        match status.success() {
            true => Ok(()),
            false => Err(NotBuilt::Uncompiled(self.package.name.clone())),
        }
    }
}
