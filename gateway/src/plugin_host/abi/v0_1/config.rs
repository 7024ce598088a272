//! `config`: the tenant's settings of this installation.

use wasmtime::component::LinkerInstance;

use super::bindings::vestibule::plugin::config;
use crate::plugin_host::abi::charge::function;
use crate::plugin_host::guest_state::GuestState;

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    use config::Host;
    function(to, "get", |state, (key,)| Ok((state.get(key)?,)))?;
    function(to, "all", |state, ()| Ok((state.all()?,)))
}

impl config::Host for GuestState {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        Ok(self.binding().config.get(&key).map(str::to_owned))
    }

    fn all(&mut self) -> wasmtime::Result<String> {
        Ok(self.binding().config.all().to_owned())
    }
}
