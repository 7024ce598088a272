//! Version 0.1.0 of the contract (`wit/vestibule-plugin-0.1.0`), kept running: one file per imported interface.
//!
//! What it has no words for is told in those it has: newer kinds of message are `other`, typed attributes their text.

mod bindings;
mod clock;
mod config;
mod effects;
mod inbound;
mod kv;
mod log;
mod random;

use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Instance, InstancePre, Linker, Resource};

use super::{Abi, Functions, find_function};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::hook::{Destination, Failure, Hook, HookSet, Returned};

use bindings::exports::vestibule::plugin::routing;
use bindings::vestibule::plugin::outcome;
use bindings::{Conversation, Message};

pub(super) const IMPORTS: [&str; 8] = [
    "inbound", "outcome", "effects", "log", "clock", "random", "config", "kv",
];

pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    let name = |interface: &str| Abi::V0_1.interface(interface);
    inbound::wire(&mut linker.instance(&name("inbound"))?)?;
    // Types only.
    linker.instance(&name("outcome"))?;
    effects::wire(&mut linker.instance(&name("effects"))?)?;
    log::wire(&mut linker.instance(&name("log"))?)?;
    clock::wire(&mut linker.instance(&name("clock"))?)?;
    random::wire(&mut linker.instance(&name("random"))?)?;
    config::wire(&mut linker.instance(&name("config"))?)?;
    kv::wire(&mut linker.instance(&name("kv"))?)
}

/// Where a component's hooks are.
pub(in crate::plugin_host) struct Calls(Functions);

type Arguments = (Resource<Message>, Resource<Conversation>);
type Done = Result<(), outcome::Failure>;
type Routed = Result<routing::Destination, outcome::Failure>;

impl Calls {
    pub(super) fn of(pre: &InstancePre<GuestState>, hooks: HookSet) -> wasmtime::Result<Self> {
        Functions::of(hooks, |hook| find(pre, hook)).map(Self)
    }

    pub(super) async fn call(
        &self,
        store: &mut Store<GuestState>,
        instance: &Instance,
        hook: Hook,
    ) -> wasmtime::Result<Returned> {
        let Self(functions) = self;
        // Borrowed for the call: the guest must have dropped both when it returns, or it traps.
        let arguments: Arguments = (Resource::new_borrow(0), Resource::new_borrow(0));
        if hook == Hook::Routing {
            let routed: Routed = functions.call(store, instance, hook, arguments).await?;
            return Ok(routed.map(|to| Some(to.into())).map_err(Failure::from));
        }
        let done: Done = functions.call(store, instance, hook, arguments).await?;
        Ok(done.map(|()| None).map_err(Failure::from))
    }
}

fn find(pre: &InstancePre<GuestState>, hook: Hook) -> wasmtime::Result<ComponentExportIndex> {
    match hook {
        Hook::Routing => find_function::<Arguments, Routed>(pre, Abi::V0_1, hook),
        _ => find_function::<Arguments, Done>(pre, Abi::V0_1, hook),
    }
}

impl From<routing::Destination> for Destination {
    fn from(destination: routing::Destination) -> Self {
        match destination {
            routing::Destination::Bot => Self::Bot,
            routing::Destination::Queue(name) => Self::Queue(name),
            routing::Destination::Silence => Self::Silence,
            routing::Destination::Pass => Self::Pass,
        }
    }
}

impl From<outcome::Failure> for Failure {
    fn from(failure: outcome::Failure) -> Self {
        match failure {
            outcome::Failure::Reject(why) => Self::Reject(why),
            outcome::Failure::Retry(after_ms) => Self::Retry(after_ms),
            outcome::Failure::Fault(why) => Self::Fault(why),
        }
    }
}
