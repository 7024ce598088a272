//! The hooks that a component exports: found, type-checked, called.

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, Resource};

use super::bindings::exports::vestibule::plugin::{
    auto_reply, enrichment, on_event, on_receipt, on_timer, routing,
};
use super::bindings::vestibule::plugin::types;
use super::bindings::{Conversation, Event, Message, Receipt, Timer};
use super::{ABI, words};
use crate::plugin_host::abi::{check_function, not_exported};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::hook::{Failure, Hook, HookSet, Returned};

/// Where a component's hooks are.
pub(in crate::plugin_host) struct Calls {
    enrichment: Option<enrichment::GuestIndices>,
    routing: Option<routing::GuestIndices>,
    auto_reply: Option<auto_reply::GuestIndices>,
    on_event: Option<on_event::GuestIndices>,
    on_timer: Option<on_timer::GuestIndices>,
    on_receipt: Option<on_receipt::GuestIndices>,
}

/// Finds a hook that is exported.
macro_rules! find {
    ($hooks:ident, $pre:ident, $hook:ident, $module:ident) => {
        $hooks
            .contains(Hook::$hook)
            .then(|| $module::GuestIndices::new($pre))
            .transpose()?
    };
}

/// Calls a hook with what it is about and the conversation, both borrowed for the call: the guest must have dropped them
/// when it returns, or it traps.
macro_rules! call {
    ($self:ident, $store:ident, $instance:ident, $hook:ident, $module:ident, $about:ident, $function:ident) => {{
        let indices = $self.$module.as_ref();
        let indices = indices.ok_or_else(|| not_exported(Hook::$hook))?;
        let guest = indices.load(&mut *$store, $instance)?;
        let about = Resource::<$about>::new_borrow(0);
        let conversation = Resource::<Conversation>::new_borrow(0);
        guest.$function($store, about, conversation).await?
    }};
}

impl Calls {
    pub(in crate::plugin_host::abi) fn of(
        pre: &InstancePre<GuestState>,
        hooks: HookSet,
    ) -> wasmtime::Result<Self> {
        for hook in hooks.iter() {
            type_check(pre, hook)?;
        }
        Ok(Self {
            enrichment: find!(hooks, pre, Enrichment, enrichment),
            routing: find!(hooks, pre, Routing, routing),
            auto_reply: find!(hooks, pre, AutoReply, auto_reply),
            on_event: find!(hooks, pre, OnEvent, on_event),
            on_timer: find!(hooks, pre, OnTimer, on_timer),
            on_receipt: find!(hooks, pre, OnReceipt, on_receipt),
        })
    }

    pub(in crate::plugin_host::abi) async fn call(
        &self,
        store: &mut Store<GuestState>,
        instance: &Instance,
        hook: Hook,
    ) -> wasmtime::Result<Returned> {
        let done = match hook {
            Hook::Enrichment => {
                call!(
                    self,
                    store,
                    instance,
                    Enrichment,
                    enrichment,
                    Message,
                    call_enrich
                )
            }
            Hook::Routing => {
                let routed = call!(self, store, instance, Routing, routing, Message, call_route);
                return Ok(routed
                    .map(|to| Some(words::destination(to)))
                    .map_err(Failure::from));
            }
            Hook::AutoReply => {
                call!(
                    self, store, instance, AutoReply, auto_reply, Message, call_reply
                )
            }
            Hook::OnEvent => call!(self, store, instance, OnEvent, on_event, Event, call_handle),
            Hook::OnTimer => call!(self, store, instance, OnTimer, on_timer, Timer, call_fire),
            Hook::OnReceipt => {
                call!(
                    self,
                    store,
                    instance,
                    OnReceipt,
                    on_receipt,
                    Receipt,
                    call_receive
                )
            }
        };
        Ok(done.map(|()| None).map_err(Failure::from))
    }
}

type About<T> = (Resource<T>, Resource<Conversation>);
type Done = (Result<(), types::Failure>,);

fn type_check(pre: &InstancePre<GuestState>, hook: Hook) -> wasmtime::Result<()> {
    match hook {
        Hook::Enrichment | Hook::AutoReply => {
            check_function::<About<Message>, Done>(pre, ABI, hook)
        }
        Hook::Routing => check_function::<
            About<Message>,
            (Result<routing::Destination, types::Failure>,),
        >(pre, ABI, hook),
        Hook::OnEvent => check_function::<About<Event>, Done>(pre, ABI, hook),
        Hook::OnTimer => check_function::<About<Timer>, Done>(pre, ABI, hook),
        Hook::OnReceipt => check_function::<About<Receipt>, Done>(pre, ABI, hook),
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
