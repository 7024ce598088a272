//! The generated face of the WIT contract, for wasm32 only. Nothing outside [`crate::host`] and the `export!` macro
//! may name it: authors see this crate's own types, so that the native harness can stand in for the host.
//!
//! One world per hook, all sharing the imports of world `host`: a component then exports the hooks it has and no more.
//! The files are kept in the tree and not made by a macro, because the generator costs a minute of every author's first
//! build. `regenerate.sh` makes them anew; a test compares the contract's fingerprint with the one they were made from.

pub mod auto_reply;
pub mod enrichment;
pub mod host;
pub mod routing;
