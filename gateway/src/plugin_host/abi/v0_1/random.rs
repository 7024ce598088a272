//! `random`: a stream seeded by the turn.

use rand_chacha::rand_core::Rng;
use wasmtime::component::LinkerInstance;

use super::bindings::vestibule::plugin::random;
use crate::plugin_host::abi::charge::function;
use crate::plugin_host::guest_state::GuestState;

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    use random::Host;
    function(to, "next-u64", |state, ()| Ok((state.next_u64()?,)))?;
    function(to, "bytes", |state, (len,)| Ok((state.bytes(len)?,)))
}

impl random::Host for GuestState {
    fn next_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random().next_u64())
    }

    fn bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        self.random_bytes(len.into())
    }
}
