//! `kv`: the grant's memory. Its rules are in [`crate::plugin_host::kv`].

use crate::plugin_host::bindings::vestibule::plugin::kv::{self, KvError};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::kv::KvRefused;

impl kv::Host for GuestState {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, KvError>> {
        self.enter(key.len())?;
        let found = self.kv.get(&key).await.map_err(KvError::from);
        let bytes = found
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .map_or(0, Vec::len);
        self.enter_bytes(bytes)?;
        Ok(found)
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), KvError>> {
        self.enter(key.len() + value.len())?;
        Ok(self.kv.set(key, value).await.map_err(KvError::from))
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Result<(), KvError>> {
        self.enter(key.len())?;
        Ok(self.kv.delete(key).await.map_err(KvError::from))
    }

    async fn add(&mut self, key: String, delta: i64) -> wasmtime::Result<Result<(), KvError>> {
        self.enter(key.len() + 8)?;
        Ok(self.kv.add(key, delta).await.map_err(KvError::from))
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
