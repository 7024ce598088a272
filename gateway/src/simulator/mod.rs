//! A faithful local WhatsApp: Graph's `/messages`, the customers' phones, signed webhooks, scripted faults.
//!
//! It is the tenants' sandbox, the harness of our tests and the far end of the benchmark. It imports only `domain`'s
//! time and identifiers and reads Meta's rules for itself (`whatsapp-cloud-api.md` §1–§4, §6.1, §6.7, §7), so that a
//! mistake of the gateway meets a second opinion: a breach is answered as Meta would and recorded as a [`Violation`].
//!
//! Inside: `server` → `send` (Graph side) and `control` (`/simulator/*`) → `world` → `number` (customers, chats) and
//! `webhook` (the way out). `handle` is the same for Rust. `docs/simulator.md` shows it with curl.

mod account;
mod account_event;
mod action;
mod chat;
mod config;
mod control;
mod counters;
mod error;
mod faults;
mod handle;
mod identity;
mod media;
mod number;
mod phone;
mod platform;
mod query;
mod rate;
mod requests;
mod send;
mod server;
mod status;
mod template;
mod violation;
mod waba;
mod wamid;
mod webhook;
mod wire;
mod world;

pub use account::NumberState;
pub use account_event::AccountEvent;
pub use action::{Action, CustomerFile, CustomerMessage};
pub use chat::{Author, Chat, ChatItem, Choice, ChoiceKind, Tick};
pub use config::{
    Checks, RecordLimits, SimNumber, SimulatorConfig, SimulatorSetup, StatusPolicy, WebhookPolicy,
};
pub use counters::CountersNow;
pub use faults::{Fault, FaultKind};
pub use handle::{Customer, NotInTime, Simulator, SimulatorError, SimulatorHandle, serve};
pub use identity::Profile;
pub use number::Number;
pub use phone::{Step, Story};
pub use requests::{Answered, Arrival, RequestRecord};
pub use template::{
    ReviewDecision, ReviewPolicy, TemplateCategory, TemplateEvent, TemplateSpec, TemplateStatus,
};
pub use violation::Violation;
pub use waba::{Tier, WabaState};
pub use webhook::{Flush, FlushOrder, PostError, Signature};
pub use world::{Overview, Unknown, World};

#[cfg(test)]
mod tests;
