//! `clock`: the turn's time.

use wasmtime::component::LinkerInstance;

use super::bindings::vestibule::plugin::clock;
use crate::plugin_host::abi::charge::function;
use crate::plugin_host::guest_state::GuestState;

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    use clock::Host;
    function(to, "now", |state, ()| Ok((state.now()?,)))
}

impl clock::Host for GuestState {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(u64::try_from(self.request.now.millis()).unwrap_or(0))
    }
}
