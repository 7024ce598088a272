//! The line 0.3 of the contract (`wit/next`; released folders `wit/vestibule-plugin-0.3.*`), the host's own.
//!
//! What it has in common with the line before it is in `since_0_2`. Its `words` tell everything as it is.

mod bindings;
#[path = "../since_0_2/mod.rs"]
mod wired;
mod words;

use super::Abi;

pub(in crate::plugin_host) use wired::Calls;
pub(super) use wired::{IMPORTS, add_to_linker};

const ABI: Abi = Abi::V0_3;
