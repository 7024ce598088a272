//! Graph's error codes: what each means, whose turn it is, and what the gateway does about it (facts §7).
//!
//! The table is data; [`classify`] looks a code up and knows what to do with one that is not there. Whether a send may
//! be repeated after a doubt is not decided here but by its class (promise 5).

mod action;
mod backoff;
mod classify;
mod table;
#[cfg(test)]
mod tests;

pub use action::{Action, Fault, HoldScope, SideEffect, SlowScope};
pub use backoff::{MAX_ATTEMPTS, NUMBER_CUT, NUMBER_RECOVERY_PER_MINUTE, backoff, pair_block};
pub use classify::{Verdict, classify, is_listed};
pub use table::{ErrorRule, RULES};
