//! The hooks that a component exports: found, type-checked, called.

use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, Instance, InstancePre, Resource};

use super::bindings::exports::vestibule::plugin::routing;
use super::bindings::vestibule::plugin::types;
use super::bindings::{Conversation, Event, Message, Receipt, Timer};
use super::{ABI, words};
use crate::plugin_host::abi::{Functions, find_function};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::hook::{Failure, Hook, HookSet, Returned};

/// Where a component's hooks are.
pub(in crate::plugin_host) struct Calls(Functions);

type About<T> = (Resource<T>, Resource<Conversation>);
type Done = Result<(), types::Failure>;
type Routed = Result<routing::Destination, types::Failure>;

/// What a hook is about, and the conversation, both borrowed for the call: the guest must have dropped them when it returns, or
/// it traps.
fn about<T: 'static>() -> About<T> {
    (Resource::new_borrow(0), Resource::new_borrow(0))
}

impl Calls {
    pub(in crate::plugin_host::abi) fn of(
        pre: &InstancePre<GuestState>,
        hooks: HookSet,
    ) -> wasmtime::Result<Self> {
        Functions::of(hooks, |hook| find(pre, hook)).map(Self)
    }

    pub(in crate::plugin_host::abi) async fn call(
        &self,
        store: &mut Store<GuestState>,
        instance: &Instance,
        hook: Hook,
    ) -> wasmtime::Result<Returned> {
        let Self(functions) = self;
        let done: Done = match hook {
            Hook::Enrichment | Hook::AutoReply => {
                let about = about::<Message>();
                functions.call(store, instance, hook, about).await?
            }
            Hook::Routing => {
                let about = about::<Message>();
                let routed: Routed = functions.call(store, instance, hook, about).await?;
                return Ok(routed
                    .map(|to| Some(words::destination(to)))
                    .map_err(Failure::from));
            }
            Hook::OnEvent => {
                let about = about::<Event>();
                functions.call(store, instance, hook, about).await?
            }
            Hook::OnTimer => {
                let about = about::<Timer>();
                functions.call(store, instance, hook, about).await?
            }
            Hook::OnReceipt => {
                let about = about::<Receipt>();
                functions.call(store, instance, hook, about).await?
            }
        };
        Ok(done.map(|()| None).map_err(Failure::from))
    }
}

fn find(pre: &InstancePre<GuestState>, hook: Hook) -> wasmtime::Result<ComponentExportIndex> {
    match hook {
        Hook::Enrichment | Hook::AutoReply => find_function::<About<Message>, Done>(pre, ABI, hook),
        Hook::Routing => find_function::<About<Message>, Routed>(pre, ABI, hook),
        Hook::OnEvent => find_function::<About<Event>, Done>(pre, ABI, hook),
        Hook::OnTimer => find_function::<About<Timer>, Done>(pre, ABI, hook),
        Hook::OnReceipt => find_function::<About<Receipt>, Done>(pre, ABI, hook),
    }
}

impl From<types::Failure> for Failure {
    fn from(failure: types::Failure) -> Self {
        match failure {
            types::Failure::Reject(why) => Self::Reject(why),
            types::Failure::Retry(after_ms) => Self::Retry(after_ms),
            types::Failure::Fault(why) => Self::Fault(why),
        }
    }
}
