//! The line 0.2 of the contract (released folders `wit/vestibule-plugin-0.2.*`), kept running.
//!
//! It is what [`v0_3`](super::v0_3) is, without the cases `other`: what it says in their place stands in `words`.

mod bindings;
#[path = "../since_0_2/mod.rs"]
#[allow(
    clippy::duplicate_mod,
    reason = "every line compiles it against its own bindings"
)]
mod wired;
mod words;

use super::Abi;

pub(in crate::plugin_host) use wired::Calls;
pub(super) use wired::{IMPORTS, add_to_linker};

const ABI: Abi = Abi::V0_2;
