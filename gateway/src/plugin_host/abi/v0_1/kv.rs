//! `kv`: the grant's memory. Its rules are in [`crate::plugin_host::kv`].

use futures::FutureExt;
use wasmtime::component::LinkerInstance;

use super::bindings::vestibule::plugin::kv::{self, KvError};
use crate::plugin_host::abi::charge::{Carried, waiting_function};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::kv::{KvRefused, Space};

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    use kv::Host;
    waiting_function(to, "get", |state, (key,)| {
        async move { Ok((state.get(key).await?,)) }.boxed()
    })?;
    waiting_function(to, "set", |state, (key, value)| {
        async move { Ok((state.set(key, value).await?,)) }.boxed()
    })?;
    waiting_function(to, "delete", |state, (key,)| {
        async move { Ok((state.delete(key).await?,)) }.boxed()
    })?;
    waiting_function(to, "add", |state, (key, delta)| {
        async move { Ok((state.add(key, delta).await?,)) }.boxed()
    })
}

impl kv::Host for GuestState {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, KvError>> {
        Ok(self
            .kv
            .get(Space::Tenant, &key)
            .await
            .map_err(KvError::from))
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), KvError>> {
        let set = self.kv.set(Space::Tenant, &key, value, None).await;
        Ok(set.map_err(KvError::from))
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), KvError>> {
        Ok(self
            .kv
            .delete(Space::Tenant, &key)
            .await
            .map_err(KvError::from))
    }

    async fn add(&mut self, key: String, delta: i64) -> wasmtime::Result<Result<(), KvError>> {
        let added = self.kv.add(Space::Tenant, &key, delta).await;
        Ok(added.map_err(KvError::from))
    }
}

impl Carried for KvError {
    fn carried(&self) -> usize {
        match self {
            Self::Denied => 0,
            Self::Quota(what) | Self::Invalid(what) | Self::Unavailable(what) => what.len(),
        }
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
