//! The parser of webhooks, alone: the gateway's own source files without the gateway, so that a build with a fuzzer's
//! flags takes a minute and compiles no wasmtime.

#![allow(
    dead_code,
    unused_imports,
    reason = "the gateway uses what the targets do not"
)]

#[path = "../../gateway/src/domain/mod.rs"]
pub mod domain;

pub mod graph;

#[path = "../../gateway/src/sync.rs"]
mod sync;
