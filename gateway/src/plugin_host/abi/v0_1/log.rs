//! `log`: lines for the plugin's author, bounded in number and length.

use wasmtime::component::LinkerInstance;

use super::bindings::vestibule::plugin::log;
use crate::plugin_host::abi::charge::{flat, function};
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::report::LogLevel;

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    use log::Host;
    function(to, "write", |state, (level, message)| {
        state.write(level, message)
    })
}

flat!(log::Level);

impl log::Host for GuestState {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        self.note(level.into(), message);
        Ok(())
    }
}

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
