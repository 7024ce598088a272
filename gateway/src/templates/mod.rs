//! Templates: what is known of each account's, kept current by syncs, webhooks and answers; what sending needs of them in
//! memory; changes through Graph, after our own lint.
//!
//! Nothing vanishes: a row outlives its template, and its history says what became of it, when, and where that was learnt.

mod account;
pub mod change;
pub mod keep;
pub mod language;
mod learn;
pub mod lint;
pub mod registry;
pub mod schedule;
pub mod sync;

pub use account::{Account, Entry};
pub use change::{Changes, TemplateEdit, TemplateError};
pub use learn::Words;
pub use lint::{Finding, TemplateDraft};
pub use registry::Registry;
pub use schedule::Schedule;
pub use sync::SyncJob;
