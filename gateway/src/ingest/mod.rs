//! The way in: webhooks are verified and committed before Meta gets its 200, then split and attached.
//!
//! [`routes`] takes the POST and waits for [`RawWriter`]'s group commit. [`Attacher`] turns what is in it, for the buckets
//! that this node owns, into events, receipts and consent: in the same commit where nothing waits before it, otherwise it
//! reads what was committed. It never runs a plugin and never sends.

mod attach;
mod intake;
mod raw_writer;

pub use attach::{Attacher, AttacherConfig, Backlogs, Kept};
pub use intake::{Intake, routes};
pub use raw_writer::{RawWriter, RawWriterConfig, WriteError};
