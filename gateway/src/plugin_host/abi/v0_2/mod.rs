//! The line 0.2 of the contract (`wit/next`; released folders `wit/vestibule-plugin-0.2.*`): one file per imported interface.

mod ambient;
mod bindings;
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
mod values;
mod window;

use wasmtime::component::Linker;

use super::Abi;
use crate::plugin_host::guest_state::GuestState;

pub(in crate::plugin_host) use calls::Calls;

pub(super) const IMPORTS: [&str; 17] = [
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

pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    let name = |interface: &str| Abi::V0_2.interface(interface);
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
