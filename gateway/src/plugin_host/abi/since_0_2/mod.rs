//! What the lines since 0.2 have in common, which is nearly all of it: one file per imported interface.
//!
//! Each line compiles these files as a module of its own, against its own `bindings` (`#[path]`, in its `mod.rs`), because
//! every line has types of its own, however alike: a new case of `effect-error` changes each function that answers with
//! one. Written once over a trait of types it would be bounds and associated types in every signature; as two copies it
//! would drift. What differs between lines is in their `words`, and a type that is compared in there by `match` cannot be
//! forgotten. So nothing here may be an inherent method of a type that lines share.

mod ambient;
mod calls;
mod contacts;
mod content;
mod conversation;
mod effects;
mod http;
mod inbound;
mod kv;
mod occasions;
mod reads;
mod replies;
mod templates;
pub(super) mod values;
mod window;

use super::{ABI, bindings, words};
use wasmtime::component::Linker;

use crate::plugin_host::guest_state::GuestState;

pub(in crate::plugin_host) use calls::Calls;

pub(in crate::plugin_host::abi) const IMPORTS: [&str; 17] = [
    "types",
    "inbound",
    "occasions",
    "refusal",
    "replies",
    "effects",
    "log",
    "clock",
    "random",
    "config",
    "kv",
    "http",
    "reads",
    "window",
    "contacts",
    "conversation",
    "templates",
];

pub(in crate::plugin_host::abi) fn add_to_linker(
    linker: &mut Linker<GuestState>,
) -> wasmtime::Result<()> {
    let name = |interface: &str| ABI.interface(interface);
    // These have types only.
    linker.instance(&name("reads"))?;
    linker.instance(&name("types"))?;
    linker.instance(&name("refusal"))?;
    inbound::wire(&mut linker.instance(&name("inbound"))?)?;
    occasions::wire(&mut linker.instance(&name("occasions"))?)?;
    replies::wire(&mut linker.instance(&name("replies"))?)?;
    effects::wire(&mut linker.instance(&name("effects"))?)?;
    ambient::wire_log(&mut linker.instance(&name("log"))?)?;
    ambient::wire_clock(&mut linker.instance(&name("clock"))?)?;
    ambient::wire_random(&mut linker.instance(&name("random"))?)?;
    ambient::wire_config(&mut linker.instance(&name("config"))?)?;
    window::wire(&mut linker.instance(&name("window"))?)?;
    contacts::wire(&mut linker.instance(&name("contacts"))?)?;
    conversation::wire(&mut linker.instance(&name("conversation"))?)?;
    templates::wire(&mut linker.instance(&name("templates"))?)?;
    kv::wire(&mut linker.instance(&name("kv"))?)?;
    http::wire(&mut linker.instance(&name("http"))?)
}
