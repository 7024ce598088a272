//! `clock`: the turn's time.

use crate::plugin_host::bindings::vestibule::plugin::clock;
use crate::plugin_host::guest_state::GuestState;

impl clock::Host for GuestState {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.enter(8)?;
        Ok(u64::try_from(self.request.now.millis()).unwrap_or(0))
    }
}
