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
//! scripted customer. Three hooks exist, one trait each: [`Enrichment`], [`Routing`], [`AutoReply`].
//!
//! What a turn may rely on: it gets a fresh instance, so statics are empty and what shall last belongs into [`kv`]; its
//! [`clock`] stands still and its [`random`] numbers are seeded by the turn, so that it can be replayed; all its effects
//! are applied together if the hook returns `Ok`, and none of them otherwise.

mod arena;
pub mod clock;
pub mod config;
mod conversation;
mod effects;
mod export;
mod failure;
mod hooks;
mod host;
pub mod kv;
pub mod log;
mod message;
pub mod random;
pub mod text;
mod turn;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod bindings;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use arena::{Arena, DEFAULT_ARENA_BYTES};
pub use conversation::Conversation;
pub use effects::{Button, EffectError, Row, Section, TemplateParameter};
pub use failure::{Failure, Outcome};
pub use hooks::{AutoReply, Enrichment, Route, Routing};
pub use message::{Kind, Message};
pub use turn::Turn;
