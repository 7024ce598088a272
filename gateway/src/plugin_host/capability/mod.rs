//! The host's side of the contract: one file per imported interface.
//!
//! A host function reads and writes [`GuestState`](super::guest_state::GuestState) and nothing else. What a guest gets
//! wrong is answered with a value of the contract; only a limit ends it.

mod clock;
mod config;
mod effects;
mod inbound;
mod kv;
mod log;
mod random;

use wasmtime::component::{HasSelf, Linker};

use super::bindings::AllHooks;
use super::bindings::vestibule::plugin::outcome;
use super::guest_state::GuestState;

/// Everything a plugin may import.
pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    AllHooks::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

/// Types only.
impl outcome::Host for GuestState {}
