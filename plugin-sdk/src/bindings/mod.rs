//! The generated face of the WIT contract. Its records are this crate's own types, in Wasm and in native tests; its
//! functions and resources are Wasm's alone, and nothing outside [`crate::host`] and the `export!` macro may name them:
//! authors see this crate's own, so that the native harness can stand in for the host.
//!
//! One world per hook, all sharing the imports of world `host`: a component then exports the hooks it has and no more.
//! The files are kept in the tree and not made by a macro, because the generator costs a minute of every author's first
//! build. `regenerate.sh` makes them anew; a test compares the contract's fingerprint with the one they were made from.

#[cfg(target_arch = "wasm32")]
pub mod auto_reply;
#[cfg(target_arch = "wasm32")]
pub mod enrichment;
#[allow(dead_code, reason = "native code knows the records of it and no more")]
pub mod host;
#[cfg(target_arch = "wasm32")]
pub mod on_event;
#[cfg(target_arch = "wasm32")]
pub mod on_receipt;
#[cfg(target_arch = "wasm32")]
pub mod on_timer;
#[cfg(target_arch = "wasm32")]
pub mod routing;
