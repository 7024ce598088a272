//! Telemetry: structured logs on standard error, metrics for Prometheus on a listener of their own, traces for a collector.
//!
//! Privacy is a rule of the call sites: at `info` and above no message text, phone number or token is logged (ids are
//! enough to find them). [`Captured`] is how tests hold them to it. Names of metrics stand in [`names`], nowhere else.

mod capture;
mod commit;
mod logs;
mod metrics;
pub mod names;
mod plugins;
mod traces;

pub use self::metrics::Recorder;
pub use capture::Captured;
pub use commit::CommitTimer;
pub use logs::install as install_logs;
pub use plugins::{PluginMeters, PluginTurn};
pub use traces::{Attribute, Exporter, Span, Traces, nanos, span_of, trace_of};
