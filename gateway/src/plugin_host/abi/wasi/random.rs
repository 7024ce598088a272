//! `wasi:random`: all three of its interfaces draw from the turn's own stream, as `vestibule:plugin/random` does.

use rand_chacha::rand_core::Rng;
use wasmtime::component::Linker;

use super::{Interface, Wired, name};
use crate::plugin_host::abi::charge::function;
use crate::plugin_host::guest_state::GuestState;

pub(super) fn wire(linker: &mut Linker<GuestState>) -> Wired {
    let mut to = linker.instance(&name("random/random"))?;
    draws(&mut to, "get-random-bytes", "get-random-u64")?;
    let mut to = linker.instance(&name("random/insecure"))?;
    draws(
        &mut to,
        "get-insecure-random-bytes",
        "get-insecure-random-u64",
    )?;
    let mut to = linker.instance(&name("random/insecure-seed"))?;
    function(&mut to, "insecure-seed", |state, ()| {
        Ok(((state.random().next_u64(), state.random().next_u64()),))
    })
}

fn draws(to: &mut Interface<'_>, bytes: &str, number: &str) -> Wired {
    function(to, bytes, |state, (len,): (u64,)| {
        Ok((state.random_bytes(len)?,))
    })?;
    function(to, number, |state, ()| Ok((state.random().next_u64(),)))
}
