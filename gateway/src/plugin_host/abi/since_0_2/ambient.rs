//! What every plugin has: `log`, `clock`, `random`, `config`. Their rules are those of 0.1.0.

use rand_chacha::rand_core::Rng;
use wasmtime::component::LinkerInstance;

use super::bindings::vestibule::plugin::log;
use super::values::moment;
use crate::plugin_host::abi::charge::{flat, function};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::report::LogLevel;

type Wired = wasmtime::Result<()>;

pub(super) fn wire_log(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(
        to,
        "write",
        |state, (level, message): (log::Level, String)| {
            state.note(level.into(), message);
            Ok(())
        },
    )
}

pub(super) fn wire_clock(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(to, "now", |state, ()| Ok((moment(state.request.now),)))
}

pub(super) fn wire_random(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(to, "next-u64", |state, ()| Ok((state.random().next_u64(),)))?;
    function(to, "bytes", |state, (len,): (u32,)| {
        Ok((state.random_bytes(len.into())?,))
    })
}

pub(super) fn wire_config(to: &mut LinkerInstance<'_, GuestState>) -> Wired {
    function(to, "get", |state, (key,): (String,)| {
        Ok((state.binding().config.get(&key).map(str::to_owned),))
    })?;
    function(to, "all", |state, ()| {
        Ok((state.binding().config.all().to_owned(),))
    })
}

flat!(log::Level);

impl From<log::Level> for LogLevel {
    fn from(level: log::Level) -> Self {
        match level {
            log::Level::Debug => Self::Debug,
            log::Level::Info => Self::Info,
            log::Level::Warn => Self::Warn,
            log::Level::Error => Self::Error,
        }
    }
}
