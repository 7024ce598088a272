//! A loaded plugin: linked and type-checked, ready to be instantiated any number of times.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, ComponentNamedList, InstancePre, Lift, Linker, Lower, Resource,
};

use super::artifact::AuthenticArtifact;
use super::bindings::exports::vestibule::plugin::{auto_reply, enrichment, routing};
use super::bindings::vestibule::plugin::outcome::Failure;
use super::bindings::{Conversation, Message};
use super::guest_state::GuestState;
use super::hook::{Hook, HookSet};
use super::manifest::{ABI, Manifest};

/// A component of this process's engine, with what its manifest says of it.
pub struct Plugin {
    manifest: Manifest,
    hooks: HookSet,
    pub(super) pre: InstancePre<GuestState>,
    pub(super) enrichment: Option<enrichment::GuestIndices>,
    pub(super) routing: Option<routing::GuestIndices>,
    pub(super) auto_reply: Option<auto_reply::GuestIndices>,
}

/// Why an artifact cannot run here. Found when loading, never by a customer's message.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Made by another wasmtime or with other settings: compile it again.
    #[error("the artifact does not fit this engine")]
    Artifact(#[source] wasmtime::Error),
    #[error("the component is written for ABI {0}, this host has {ABI}")]
    Abi(String),
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
        if manifest.abi != ABI {
            return Err(LoadError::Abi(manifest.abi.clone()));
        }
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
        let pre = linker
            .instantiate_pre(component)
            .map_err(LoadError::Incompatible)?;
        let hooks: HookSet = Hook::ALL
            .into_iter()
            .filter(|hook| exports(component, *hook))
            .collect();
        if hooks.is_empty() {
            return Err(LoadError::NoHook);
        }
        for hook in hooks.iter() {
            type_check(&pre, hook).map_err(LoadError::Incompatible)?;
        }
        let has = |hook| hooks.contains(hook);
        let indices = || -> wasmtime::Result<_> {
            Ok((
                has(Hook::Enrichment)
                    .then(|| enrichment::GuestIndices::new(&pre))
                    .transpose()?,
                has(Hook::Routing)
                    .then(|| routing::GuestIndices::new(&pre))
                    .transpose()?,
                has(Hook::AutoReply)
                    .then(|| auto_reply::GuestIndices::new(&pre))
                    .transpose()?,
            ))
        };
        let (enrichment, routing, auto_reply) = indices().map_err(LoadError::Incompatible)?;
        Ok(Self {
            manifest,
            hooks,
            pre,
            enrichment,
            routing,
            auto_reply,
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

    pub fn hooks(&self) -> HookSet {
        self.hooks
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plugin({} {})", self.name(), self.version())
    }
}

fn interface(hook: Hook) -> String {
    format!("vestibule:plugin/{hook}@{ABI}")
}

fn exports(component: &Component, hook: Hook) -> bool {
    component.get_export_index(None, interface(hook)).is_some()
}

type Arguments = (Resource<Message>, Resource<Conversation>);

/// Compares an exported hook's type with the contract's, so that no call can fail over it.
fn type_check(pre: &InstancePre<GuestState>, hook: Hook) -> wasmtime::Result<()> {
    match hook {
        Hook::Enrichment | Hook::AutoReply => {
            check_function::<Arguments, (Result<(), Failure>,)>(pre, hook)
        }
        Hook::Routing => {
            check_function::<Arguments, (Result<routing::Destination, Failure>,)>(pre, hook)
        }
    }
}

fn check_function<Params, Return>(pre: &InstancePre<GuestState>, hook: Hook) -> wasmtime::Result<()>
where
    Params: ComponentNamedList + Lower,
    Return: ComponentNamedList + Lift,
{
    let component = pre.component();
    let instance = component.get_export_index(None, interface(hook));
    let function = component.get_export(instance.as_ref(), hook.function());
    match function {
        Some((ComponentItem::ComponentFunc(function), _)) => {
            function.typecheck::<Params, Return>(&pre.instance_type())
        }
        _ => Err(wasmtime::Error::msg(format!(
            "{hook} has no function {}",
            hook.function()
        ))),
    }
}
