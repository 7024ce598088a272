//! The test guests as components, built from `tests/guests` by this package's build script: `guests::ECHO` and others.

include!(concat!(env!("OUT_DIR"), "/guests.rs"));

/// The folder of what wasm-smith made of `tests/build/uploads.rs`: `NUMBER.KIND` each.
pub const GENERATED: &str = concat!(env!("OUT_DIR"), "/generated");
