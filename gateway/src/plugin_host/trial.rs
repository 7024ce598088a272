//! Does an artifact load where it will run? Asked before it goes into service, so that no customer's message finds out.

use wasmtime::component::Linker;

use super::abi;
use super::artifact::AuthenticArtifact;
use super::engine::{self, EngineOptions, PoolSize};
use super::manifest::Manifest;
use super::plugin::{LoadError, Plugin};

/// Why an artifact must not go into service.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Ours, not the component's.
    #[error("cannot make the Wasm engine")]
    Engine(#[source] wasmtime::Error),
}

/// Loads, links and type-checks an artifact exactly as a serving node does, and forgets it. Runs nothing of the guest.
pub fn try_to_load(artifact: &AuthenticArtifact, manifest: &Manifest) -> Result<(), TrialError> {
    let engine = engine::for_running(&EngineOptions::default(), PoolSize::for_stores(1))
        .map_err(TrialError::Engine)?;
    let mut linker = Linker::new(&engine);
    abi::add_to_linker(&mut linker).map_err(TrialError::Engine)?;
    Plugin::load(&linker, artifact, manifest)?;
    Ok(())
}
