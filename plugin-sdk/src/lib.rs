//! What authors of Vestibule plugins import. A whole plugin:
//!
//! ```
//! use vestibule_plugin::{AutoReply, Outcome, Turn};
//!
//! struct Echo;
//!
//! impl AutoReply for Echo {
//!     fn reply(turn: &mut Turn) -> Outcome {
//!         let words = turn.message().text();
//!         turn.reply_text(&format!("You said: {words}"))?;
//!         Ok(())
//!     }
//! }
//!
//! vestibule_plugin::export!(Echo as auto_reply);
//! ```
//!
//! Inside Wasm the calls go to the gateway. In an ordinary `cargo test` the same code runs against [`testing`], a
//! scripted customer. Six hooks exist, one trait each: [`Enrichment`], [`Routing`] and [`AutoReply`]
//! for messages, [`OnEvent`], [`OnTimer`] and [`OnReceipt`] for what else happens.
//!
//! What a turn may rely on: it gets a fresh instance, so statics are empty and what shall last belongs into [`kv`]; its
//! [`clock`] stands still and its [`random`] numbers are seeded by the turn, so that it can be replayed; all its effects
//! are applied together if the hook returns `Ok`, and none of them otherwise.
//!
//! What the gateway tells grows while a plugin stays as it was built, so many sets have a case `Other` with a word: a kind of
//! file that WhatsApp invents tomorrow, say. Do there what you do when you do not know.
//!
//! ```
//! # use vestibule_plugin::history::Speaker;
//! # fn name(who: &Speaker) -> &str {
//! match who {
//!     Speaker::Person => "customer",
//!     Speaker::Agent => "agent",
//!     // The bot, the tenant's systems, the gateway, and whoever comes.
//!     _ => "system",
//! }
//! # }
//! ```

mod arena;
#[doc(hidden)]
#[allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    missing_docs,
    reason = "generated"
)]
pub mod bindings;
pub mod clock;
pub mod config;
pub mod contacts;
pub mod content;
mod conversation;
mod effects;
mod export;
mod failure;
pub mod history;
mod hooks;
mod host;
pub mod http;
pub mod kv;
pub mod log;
pub mod message;
mod occasion;
pub mod random;
mod reads;
pub mod templates;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod text;
mod turn;
mod value;
pub mod window;

pub use arena::{Arena, DEFAULT_ARENA_BYTES};
pub use content::{Button, Content, Parameter, Purpose, Row, Section};
pub use conversation::Conversation;
pub use effects::{Due, Effect, EffectError, OptOut, Receiver};
pub use failure::{Failure, Outcome};
pub use hooks::{AutoReply, Enrichment, OnEvent, OnReceipt, OnTimer, Route, Routing};
pub use message::{Kind, Message};
pub use occasion::{Event, Receipt, ReceiptStatus, Timer};
pub use reads::ReadError;
pub use turn::{EventTurn, ReceiptTurn, TimerTurn, Turn};
pub use value::{Day, Field, Value};
