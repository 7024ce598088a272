//! Replay: what a candidate would have done with the turns of the last days. Nothing is written, nothing is sent.
//!
//! [`read`] takes turns out of the journal as [`Recorded`] values, complete; from then on no database is needed. [`Stage`]
//! runs them over the components that ran and over a candidate in one's place, memory answered by the journal. A
//! [`Verdict`] says of each whether it would have been the same, a [`Tally`] of all, and a [`Bound`] whether that is good
//! enough. [`network::give_up`] makes the kernel refuse this process sockets before the first guest runs. A [`Rehearsal`] is
//! all of it, for the command line and, in a [`child`] process, for a [`job`]. [`trace`] shows one turn as its journal has it;
//! [`words`] takes people out of reports when their journals go.

mod bound;
pub mod child;
pub mod job;
mod judge;
pub mod network;
pub mod read;
mod recorded;
mod rehearsal;
mod shown;
mod source;
mod stage;
mod tally;
pub mod trace;
pub mod words;

pub use bound::{Bound, BoundError, Gate, Judgement, judge};
pub use job::ReplayJob;
pub use judge::{Cost, Done, Verdict};
pub use recorded::{Entry, Left, Recorded, Said};
pub use rehearsal::{News, Rehearsal, RehearsalError, gone, parts_of, report};
pub use stage::{PartKey, Stage, StageError, Workshop};
pub use tally::{Difference, Tally, ToldMost};
