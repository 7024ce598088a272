//! Webhook payloads in: a cheap look before the 200, and the full split after it.
//!
//! [`route`] says whose numbers a body concerns. [`read`] splits it into [`Item`]s: every entry, change, message,
//! status and error of it, none lost, whatever its shape. Neither knows who the numbers belong to.

mod account;
mod canonical;
mod content;
mod identity;
mod item;
mod message;
mod notice;
mod person;
mod preference;
mod private;
mod read;
mod route;
mod status;
#[cfg(test)]
mod tests;

pub use item::{Item, ItemKind, MarketingChoice};
pub use private::raw_without_personal_data;
pub use read::read;
pub use route::{Route, route};

/// A signed body that is not JSON: kept and counted, never retried for ever (design.md §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not JSON")]
pub struct NotJson;
