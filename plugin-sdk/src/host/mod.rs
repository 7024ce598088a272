//! The one switch between the two hosts: the gateway (inside Wasm) and the native harness. Both offer the same functions
//! in this crate's own types, so a handler's code is the same in both.

#[cfg(target_arch = "wasm32")]
mod gateway;
#[cfg(target_arch = "wasm32")]
pub(crate) use gateway::*;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::backend::*;
