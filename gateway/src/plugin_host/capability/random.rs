//! `random`: a stream seeded by the turn.

use rand_chacha::rand_core::Rng;

use crate::plugin_host::bindings::vestibule::plugin::random;
use crate::plugin_host::fault::FaultKind;
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::limits::HOST_CALL_BYTES;

impl random::Host for GuestState {
    fn next_u64(&mut self) -> wasmtime::Result<u64> {
        self.enter(8)?;
        Ok(self.random.next_u64())
    }

    fn bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        let len = len as usize;
        self.enter(len)?;
        if len > HOST_CALL_BYTES {
            let message = format!("asked for {len} random bytes in one call");
            return Err(self.stop(FaultKind::OutputBytes, message));
        }
        let mut bytes = vec![0; len];
        self.random.fill_bytes(&mut bytes);
        Ok(bytes)
    }
}
