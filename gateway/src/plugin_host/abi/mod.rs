//! The versions of the contract that this host runs, one folder each, and [`wasi`]. All share what is in [`charge`], those
//! since 0.2 also their wiring, in `since_0_2`.
//!
//! A version translates between its bindings and the host's own words ([`Effect`](super::effect::Effect),
//! [`Failure`](super::hook::Failure), …): nothing outside its folder knows its types. A released one never changes but
//! in how it is translated. A host function reads and writes [`GuestState`] and nothing else. What a guest gets wrong is
//! answered with a value of the contract; only a limit ends it.

mod charge;
mod v0_1;
mod v0_2;
mod v0_3;
pub(super) mod wasi;

use std::fmt;

use wasmtime::Store;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Linker, Lower,
};

use super::guest_state::GuestState;
use super::hook::{Hook, HookSet, Returned};

/// A line of the contract: versions that run each other's components, older on newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Abi {
    V0_1,
    V0_2,
    V0_3,
}

impl Abi {
    /// Oldest first.
    pub const ALL: [Self; 3] = [Self::V0_1, Self::V0_2, Self::V0_3];

    /// What new plugins are built against.
    pub const NEWEST: Self = Self::V0_3;

    /// Its versions, as manifests and components name them, oldest first: each has all that the one before it has.
    pub fn patches(self) -> &'static [&'static str] {
        match self {
            Self::V0_1 => &["0.1.0"],
            Self::V0_2 => &["0.2.0", "0.2.1", "0.2.2"],
            Self::V0_3 => &["0.3.0"],
        }
    }

    /// The newest of its versions.
    pub fn version(self) -> &'static str {
        self.patches().last().copied().unwrap_or_default()
    }

    pub fn from_version(version: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|abi| abi.patches().contains(&version))
    }

    /// All versions, for those who are told what they could have used.
    pub fn versions() -> String {
        Self::ALL.map(|abi| abi.patches().join(", ")).join(", ")
    }

    /// Interfaces that a component may import.
    pub fn imports(self) -> &'static [&'static str] {
        match self {
            Self::V0_1 => &v0_1::IMPORTS,
            Self::V0_2 => &v0_2::IMPORTS,
            Self::V0_3 => &v0_3::IMPORTS,
        }
    }

    /// Hooks that it has.
    pub fn hooks(self) -> &'static [Hook] {
        match self {
            Self::V0_1 => &Hook::ALL[..3],
            Self::V0_2 | Self::V0_3 => &Hook::ALL,
        }
    }

    /// May it be told what its contract has no case for? Lines that may not hear of it in the cases that they have, or,
    /// where each of them would be untrue, not at all.
    pub(super) fn has_other(self) -> bool {
        self >= Self::V0_3
    }

    /// May routing ask for a hand-over, and answer that it did?
    pub(super) fn routes_as_asked(self) -> bool {
        self >= Self::V0_3
    }

    /// An interface's full name, in the newest version: what a component of an older one has is found by it as well.
    pub fn interface(self, name: &str) -> String {
        format!("vestibule:plugin/{name}@{}", self.version())
    }

    /// The line, and the interface's own name, if `name` is one of the contract's.
    pub fn of_interface(name: &str) -> Option<(Self, &str)> {
        let (interface, version) = split(name)?;
        Some((Self::from_version(version)?, interface))
    }

    /// The version that an interface's full name has.
    pub fn version_in(name: &str) -> Option<&str> {
        split(name).map(|(_, version)| version)
    }
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.version())
    }
}

fn split(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("vestibule:plugin/")?.split_once('@')
}

/// Everything that plugins of any version may import.
pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    v0_1::add_to_linker(linker)?;
    v0_2::add_to_linker(linker)?;
    v0_3::add_to_linker(linker)?;
    wasi::add_to_linker(linker)
}

/// A component's hooks, type-checked and ready to be called.
pub(super) enum Calls {
    V0_1(v0_1::Calls),
    V0_2(v0_2::Calls),
    V0_3(v0_3::Calls),
}

impl Calls {
    /// An error: an exported hook is not what the contract says.
    pub(super) fn of(
        abi: Abi,
        pre: &InstancePre<GuestState>,
        hooks: HookSet,
    ) -> wasmtime::Result<Self> {
        Ok(match abi {
            Abi::V0_1 => Self::V0_1(v0_1::Calls::of(pre, hooks)?),
            Abi::V0_2 => Self::V0_2(v0_2::Calls::of(pre, hooks)?),
            Abi::V0_3 => Self::V0_3(v0_3::Calls::of(pre, hooks)?),
        })
    }

    pub(super) async fn call(
        &self,
        store: &mut Store<GuestState>,
        instance: &Instance,
        hook: Hook,
    ) -> wasmtime::Result<Returned> {
        match self {
            Self::V0_1(calls) => calls.call(store, instance, hook).await,
            Self::V0_2(calls) => calls.call(store, instance, hook).await,
            Self::V0_3(calls) => calls.call(store, instance, hook).await,
        }
    }
}

/// Does the component export this hook of this version?
pub(super) fn exports(component: &Component, abi: Abi, hook: Hook) -> bool {
    let interface = abi.interface(hook.name());
    component.get_export_index(None, interface).is_some()
}

fn not_exported(hook: Hook) -> wasmtime::Error {
    wasmtime::Error::msg(format!("{hook} is not exported"))
}

/// Where a component's hooks are. The generated bindings would look for them again in every instance, and make a copy of all
/// that is linked to it on the way.
struct Functions([Option<ComponentExportIndex>; Hook::ALL.len()]);

impl Functions {
    /// `find`: by [`find_function`], with the hook's types.
    fn of(
        hooks: HookSet,
        find: impl Fn(Hook) -> wasmtime::Result<ComponentExportIndex>,
    ) -> wasmtime::Result<Self> {
        let mut functions = [None; Hook::ALL.len()];
        for hook in hooks.iter() {
            functions[hook as usize] = Some(find(hook)?);
        }
        Ok(Self(functions))
    }

    async fn call<Params, Returned>(
        &self,
        store: &mut Store<GuestState>,
        instance: &Instance,
        hook: Hook,
        arguments: Params,
    ) -> wasmtime::Result<Returned>
    where
        Params: ComponentNamedList + Lower,
        Returned: Lift + 'static,
    {
        let function = self.0[hook as usize].ok_or_else(|| not_exported(hook))?;
        let function = instance.get_typed_func::<Params, (Returned,)>(&mut *store, function)?;
        let (returned,) = function.call_async(store, arguments).await?;
        Ok(returned)
    }
}

/// Finds an exported hook, and compares its type with the contract's, so that no call can fail over it.
fn find_function<Params, Returned>(
    pre: &InstancePre<GuestState>,
    abi: Abi,
    hook: Hook,
) -> wasmtime::Result<ComponentExportIndex>
where
    Params: ComponentNamedList + Lower,
    Returned: Lift + 'static,
{
    let component = pre.component();
    let instance = component.get_export_index(None, abi.interface(hook.name()));
    let function = component.get_export(instance.as_ref(), hook.function());
    match function {
        Some((ComponentItem::ComponentFunc(function), index)) => {
            function.typecheck::<Params, (Returned,)>(&pre.instance_type())?;
            Ok(index)
        }
        _ => Err(wasmtime::Error::msg(format!(
            "{hook} has no function {}",
            hook.function()
        ))),
    }
}
