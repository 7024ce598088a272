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
use wasmtime::component::{Instance, InstancePre, Linker, Resource};

use super::{Abi, check_function, not_exported};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::hook::{Destination, Failure, Hook, HookSet, Returned};

use bindings::exports::vestibule::plugin::{auto_reply, enrichment, routing};
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
pub(in crate::plugin_host) struct Calls {
    enrichment: Option<enrichment::GuestIndices>,
    routing: Option<routing::GuestIndices>,
    auto_reply: Option<auto_reply::GuestIndices>,
}

type Arguments = (Resource<Message>, Resource<Conversation>);

impl Calls {
    pub(super) fn of(pre: &InstancePre<GuestState>, hooks: HookSet) -> wasmtime::Result<Self> {
        for hook in hooks.iter() {
            type_check(pre, hook)?;
        }
        let has = |hook| hooks.contains(hook);
        Ok(Self {
            enrichment: has(Hook::Enrichment)
                .then(|| enrichment::GuestIndices::new(pre))
                .transpose()?,
            routing: has(Hook::Routing)
                .then(|| routing::GuestIndices::new(pre))
                .transpose()?,
            auto_reply: has(Hook::AutoReply)
                .then(|| auto_reply::GuestIndices::new(pre))
                .transpose()?,
        })
    }

    pub(super) async fn call(
        &self,
        store: &mut Store<GuestState>,
        instance: &Instance,
        hook: Hook,
    ) -> wasmtime::Result<Returned> {
        // Borrowed for the call: the guest must have dropped both when it returns, or it traps.
        let message = Resource::<Message>::new_borrow(0);
        let conversation = Resource::<Conversation>::new_borrow(0);
        let missing = || not_exported(hook);
        let returned = match hook {
            Hook::Enrichment => {
                let indices = self.enrichment.as_ref().ok_or_else(missing)?;
                let guest = indices.load(&mut *store, instance)?;
                let returned = guest.call_enrich(store, message, conversation).await?;
                returned.map(|()| None)
            }
            Hook::Routing => {
                let indices = self.routing.as_ref().ok_or_else(missing)?;
                let guest = indices.load(&mut *store, instance)?;
                let returned = guest.call_route(store, message, conversation).await?;
                returned.map(|to| Some(to.into()))
            }
            Hook::AutoReply => {
                let indices = self.auto_reply.as_ref().ok_or_else(missing)?;
                let guest = indices.load(&mut *store, instance)?;
                let returned = guest.call_reply(store, message, conversation).await?;
                returned.map(|()| None)
            }
            Hook::OnEvent | Hook::OnTimer | Hook::OnReceipt => return Err(missing()),
        };
        Ok(returned.map_err(Failure::from))
    }
}

fn type_check(pre: &InstancePre<GuestState>, hook: Hook) -> wasmtime::Result<()> {
    match hook {
        Hook::Routing => check_function::<
            Arguments,
            (Result<routing::Destination, outcome::Failure>,),
        >(pre, Abi::V0_1, hook),
        _ => check_function::<Arguments, (Result<(), outcome::Failure>,)>(pre, Abi::V0_1, hook),
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
