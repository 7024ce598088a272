//! A loaded plugin: linked and type-checked, ready to be instantiated any number of times.

use wasmtime::component::{Component, InstancePre, Linker};

use super::abi::{self, Abi, Calls};
use super::artifact::AuthenticArtifact;
use super::guest_state::GuestState;
use super::hook::HookSet;
use super::manifest::Manifest;

/// A component of this process's engine, with what its manifest says of it.
pub struct Plugin {
    manifest: Manifest,
    abi: Abi,
    hooks: HookSet,
    pub(super) pre: InstancePre<GuestState>,
    pub(super) calls: Calls,
}

/// Why an artifact cannot run here. Found when loading, never by a customer's message.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Made by another wasmtime or with other settings: compile it again.
    #[error("the artifact does not fit this engine")]
    Artifact(#[source] wasmtime::Error),
    #[error("the component is written for ABI {found}, this host has {versions}", versions = Abi::versions())]
    Abi { found: String },
    #[error("the component's imports or exports do not match the contract")]
    Incompatible(#[source] wasmtime::Error),
    #[error("the component exports no hook")]
    NoHook,
}

impl Plugin {
    pub(super) fn load(
        linker: &Linker<GuestState>,
        artifact: &AuthenticArtifact,
        manifest: &Manifest,
    ) -> Result<Self, LoadError> {
        let component = artifact
            .deserialize(linker.engine())
            .map_err(LoadError::Artifact)?;
        Self::link(linker, &component, manifest.clone())
    }

    pub(super) fn link(
        linker: &Linker<GuestState>,
        component: &Component,
        manifest: Manifest,
    ) -> Result<Self, LoadError> {
        let abi = Abi::from_version(&manifest.abi);
        let abi = abi.ok_or_else(|| LoadError::Abi {
            found: manifest.abi.clone(),
        })?;
        let pre = linker
            .instantiate_pre(component)
            .map_err(LoadError::Incompatible)?;
        let exported = |hook: &_| abi::exports(component, abi, *hook);
        let hooks: HookSet = abi.hooks().iter().copied().filter(exported).collect();
        if hooks.is_empty() {
            return Err(LoadError::NoHook);
        }
        let calls = Calls::of(abi, &pre, hooks).map_err(LoadError::Incompatible)?;
        Ok(Self {
            manifest,
            abi,
            hooks,
            pre,
            calls,
        })
    }

    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    pub fn version(&self) -> &str {
        &self.manifest.version
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) fn abi(&self) -> Abi {
        self.abi
    }

    pub fn hooks(&self) -> HookSet {
        self.hooks
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plugin({} {})", self.name(), self.version())
    }
}
