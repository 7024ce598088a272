//! The outbox's states and their rules: what an answer of Graph's, or a doubt's end, makes of a row.
//!
//! Pure: a row and an outcome in, a [`Move`] and what else has to happen out. Who asks, when, and in which transaction
//! it is written is `delivery`'s. The ways of a row:
//!
//! ```text
//! queued ─claim→ claimed ─answer→ accepted | queued (later) | failed | unknown
//!    │              │                                           unknown ─receipt→ accepted
//!    │              └─owner lost→ unknown                       unknown ─rule→ queued (once more) | failed
//!    ├─policy→ refused
//!    ├─policy→ deferred ─due→ queued (decided again)
//!    └─taken over→ cancelled
//! ```
//!
//! A receipt of a row that was ever in doubt makes it accepted, wherever it stands by then: one that waits to be sent
//! once more is out already, and is not sent again. That is `storage::receipts`', in the transaction of the receipt.

mod answer;
mod at_once;
mod doubt;
mod hold;

pub use answer::{Ended, Given, Limits, PutOff, after_answer, after_give_back, after_unsendable};
pub use at_once::{AtOnce, Going, Reserved};
pub use doubt::{DoubtEnd, after_doubt};
pub use hold::Stop;

#[cfg(test)]
mod tests;
