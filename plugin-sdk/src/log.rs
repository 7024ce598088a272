//! Lines for the plugin's author. At most 100 lines of 1 KiB a turn; more are dropped and counted.
//!
//! ```
//! # use vestibule_plugin::{info, warn};
//! # fn reply() {
//! info!("the customer chose {}", 3);
//! warn!("no opening hours are configured");
//! # }
//! ```

use crate::host;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// Writes one line. The macros [`crate::debug!`], [`crate::info!`], [`crate::warn!`] and [`crate::error!`] format it.
pub fn write(level: Level, line: &str) {
    host::log(level, line);
}

/// A line that helps while developing.
#[macro_export]
macro_rules! debug {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Debug, &::std::format!($($arg)*)) };
}

/// A line that tells what happened.
#[macro_export]
macro_rules! info {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Info, &::std::format!($($arg)*)) };
}

/// A line about something that should not be, and is coped with.
#[macro_export]
macro_rules! warn {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Warn, &::std::format!($($arg)*)) };
}

/// A line about something that went wrong.
#[macro_export]
macro_rules! error {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Error, &::std::format!($($arg)*)) };
}
