//! `random`: a stream seeded by the turn.

use rand_chacha::rand_core::Rng;
use wasmtime::component::LinkerInstance;

use super::charge::function;
use crate::plugin_host::bindings::vestibule::plugin::random;
use crate::plugin_host::fault::FaultKind;
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::limits::HOST_CALL_BYTES;

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    use random::Host;
    function(to, "next-u64", |state, ()| Ok((state.next_u64()?,)))?;
    function(to, "bytes", |state, (len,)| Ok((state.bytes(len)?,)))
}

impl random::Host for GuestState {
    fn next_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random.next_u64())
    }

    fn bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        let len = len as usize;
        if len > HOST_CALL_BYTES {
            let message = format!("asked for {len} random bytes in one call");
            return Err(self.stop(FaultKind::OutputBytes, message));
        }
        let mut bytes = vec![0; len];
        self.random.fill_bytes(&mut bytes);
        Ok(bytes)
    }
}
