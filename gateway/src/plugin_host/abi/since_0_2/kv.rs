//! `kv`: the grant's memory. Its rules are in [`crate::plugin_host::kv`].

use futures::FutureExt;
use wasmtime::component::LinkerInstance;

use super::bindings::vestibule::plugin::kv::{self, KvError, Page};
use crate::plugin_host::abi::charge::{Carried, flat, waiting_function};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::kv::{KvRefused, Space};

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    waiting_function(to, "get", |state, (space, key): (kv::Space, String)| {
        async move {
            let space = whose(state, space);
            let found = state.kv.get(space, &key).await;
            Ok((found.map_err(KvError::from),))
        }
        .boxed()
    })?;
    waiting_function(
        to,
        "set",
        |state, (space, key, value, ttl): (kv::Space, String, Vec<u8>, Option<u64>)| {
            async move {
                let (space, until) = (whose(state, space), ttl.map(|ttl| state.in_millis(ttl)));
                let set = state.kv.set(space, &key, value, until).await;
                Ok((set.map_err(KvError::from),))
            }
            .boxed()
        },
    )?;
    waiting_function(to, "delete", |state, (space, key): (kv::Space, String)| {
        async move {
            let space = whose(state, space);
            let deleted = state.kv.delete(space, &key).await;
            Ok((deleted.map_err(KvError::from),))
        }
        .boxed()
    })?;
    waiting_function(
        to,
        "add",
        |state, (space, key, delta): (kv::Space, String, i64)| {
            async move {
                let space = whose(state, space);
                let added = state.kv.add(space, &key, delta).await;
                Ok((added.map_err(KvError::from),))
            }
            .boxed()
        },
    )?;
    wire_list(to)
}

fn wire_list(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    type Asked = (kv::Space, String, Option<String>, u32);
    waiting_function(
        to,
        "list-keys",
        |state, (space, prefix, after, most): Asked| {
            async move {
                let space = whose(state, space);
                let listed = state.kv.list(space, &prefix, after.as_deref(), most).await;
                let page = listed.map(|(keys, more)| Page {
                    next: keys.last().filter(|_| more).cloned(),
                    keys,
                });
                Ok((page.map_err(KvError::from),))
            }
            .boxed()
        },
    )
}

fn whose(state: &GuestState, space: kv::Space) -> Space {
    match space {
        kv::Space::Tenant => Space::Tenant,
        kv::Space::Contact => Space::Contact(state.conversation.contact),
        kv::Space::Conversation => Space::Conversation(state.conversation.id),
    }
}

flat!(kv::Space);

impl Carried for Page {
    fn carried(&self) -> usize {
        self.keys.carried() + self.next.carried()
    }
}

impl From<KvRefused> for KvError {
    fn from(refused: KvRefused) -> Self {
        match refused {
            KvRefused::Denied => Self::Denied,
            KvRefused::Quota(what) => Self::Quota(what),
            KvRefused::Invalid(what) => Self::Invalid(what),
            KvRefused::Unavailable(why) => Self::Unavailable(why),
        }
    }
}
