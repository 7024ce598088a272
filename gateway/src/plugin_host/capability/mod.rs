//! The host's side of the contract: one file per imported interface.
//!
//! A host function reads and writes [`GuestState`](super::guest_state::GuestState) and nothing else. What a guest gets
//! wrong is answered with a value of the contract; only a limit ends it.

mod charge;
mod clock;
mod config;
mod effects;
mod inbound;
mod kv;
mod log;
mod random;

use wasmtime::component::Linker;

use super::guest_state::GuestState;
use super::manifest::ABI;

/// Everything a plugin may import.
pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    let name = |interface: &str| format!("vestibule:plugin/{interface}@{ABI}");
    inbound::wire(&mut linker.instance(&name("inbound"))?)?;
    // Types only.
    linker.instance(&name("outcome"))?;
    effects::wire(&mut linker.instance(&name("effects"))?)?;
    log::wire(&mut linker.instance(&name("log"))?)?;
    clock::wire(&mut linker.instance(&name("clock"))?)?;
    random::wire(&mut linker.instance(&name("random"))?)?;
    config::wire(&mut linker.instance(&name("config"))?)?;
    kv::wire(&mut linker.instance(&name("kv"))?)
}
