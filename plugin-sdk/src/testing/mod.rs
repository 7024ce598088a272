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
//! As in the gateway, effects are checked at the call; a hook's effects and `kv` writes count only when it returned `Ok`,
//! and later hooks of the turn see the facts that it set. A hook that rejects or faults ends the turn for this plugin and
//! leaves what earlier hooks did; one that asks for a retry leaves nothing of the turn. Time stands still during a turn;
//! [`Customer::waits`] lets it pass and fires what timers are due. Timers end when the conversation is handed over or closed.
//! What the plugin reads follows from what happened: a message opens the window for 24 hours, and what was said is the
//! history. [`Customer::window_is`], [`Customer::is_known_as`], [`Customer::refuses`] and [`Customer::reads_answer`] say
//! otherwise. The account's templates are those of [`Customer::templates`].
//! The gateway's limits of fuel, memory, host calls and of `kv` in all are not imitated.

mod answer;
pub(crate) mod backend;
mod customer;
mod incoming;
mod memory;
mod reads;
mod rules;
mod scene;
mod templates;

pub use crate::Effect;
pub use answer::Answer;
pub use customer::{Customer, SetTimer};
pub use incoming::Incoming;
pub use templates::AccountTemplate;
