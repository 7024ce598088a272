//! Tests a plugin without Wasm: a scripted customer, a settable clock, and what was answered.
//!
//! ```
//! use vestibule_plugin::testing::Customer;
//! use vestibule_plugin::{AutoReply, Outcome, Turn};
//!
//! struct Echo;
//! impl AutoReply for Echo {
//!     fn reply(turn: &mut Turn) -> Outcome {
//!         let words = turn.message().text();
//!         turn.reply_text(&words)?;
//!         Ok(())
//!     }
//! }
//!
//! let mut customer = Customer::new().auto_reply::<Echo>();
//! let answer = customer.says("hello");
//! assert_eq!(answer.text(), "hello");
//! ```
//!
//! As in the gateway, effects are checked at the call, `kv` and everything else is kept only when the turn ends well,
//! and time stands still during a turn. The gateway's limits of fuel, memory and host calls are not imitated.

mod answer;
pub(crate) mod backend;
mod customer;
mod rules;
mod scene;

pub use answer::{Answer, Effect};
pub use customer::Customer;
