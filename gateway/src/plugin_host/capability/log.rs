//! `log`: lines for the plugin's author, bounded in number and length.

use wasmtime::component::LinkerInstance;

use super::charge::{Carried, flat, function};
use crate::plugin_host::bindings::vestibule::plugin::log;
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::limits::LOG_LINE_BYTES;
use crate::plugin_host::report::{LogLevel, LogLine};

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    use log::Host;
    function(to, "write", |state, (level, message)| {
        state.write(level, message)
    })
}

flat!(log::Level);

impl log::Host for GuestState {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let most = self.limits().log_lines as usize;
        if self.log.len() >= most {
            self.log_dropped = self.log_dropped.saturating_add(1);
            return Ok(());
        }
        self.log.push(LogLine {
            installation: self.binding.installation,
            hook: self.hook,
            level: level.into(),
            message: one_line(message),
        });
        Ok(())
    }
}

/// Cuts at a character, and keeps a guest from forging lines or terminal escapes in somebody's log.
fn one_line(mut message: String) -> String {
    message.truncate(message.floor_char_boundary(LOG_LINE_BYTES));
    if message.contains(char::is_control) {
        message = message.replace(char::is_control, " ");
    }
    message
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_a_character_and_stays_one_line() {
        assert_eq!(one_line("a\nb\u{1b}[31m".to_owned()), "a b [31m");
        let cut = one_line("é".repeat(LOG_LINE_BYTES));
        assert_eq!(cut.len(), LOG_LINE_BYTES);
    }
}
