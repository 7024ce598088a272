//! Telemetry: structured logs on standard error, and metrics for Prometheus on a listener of their own.
//!
//! Privacy is a rule of the call sites: at `info` and above no message text, phone number or token is logged (ids are
//! enough to find them). [`Captured`] is how tests hold them to it. Names of metrics stand in [`names`], nowhere else.

mod capture;
mod commit;
mod logs;
mod metrics;
pub mod names;

pub use self::metrics::Recorder;
pub use capture::Captured;
pub use commit::CommitTimer;
pub use logs::install as install_logs;
