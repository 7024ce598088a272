//! Meta's wire format and client: signatures, webhook payloads, sends, the error table.
//!
//! This is the only room that knows how Meta spells things. It knows no tenant and no storage: it turns bytes into
//! `domain` types and back, and says what an error code means. Facts cited as "facts §n" are sections of
//! `whatsapp-cloud-api.md`.

pub mod client;
pub mod errors;
mod json;
pub mod send;
pub mod signature;
pub mod template;
pub mod webhook;

pub use client::{GraphClient, SendAnswer, SendOutcome};
pub use errors::{Action, Verdict, classify};
pub use signature::{SignatureError, SigningKey, VerifyingKeys};
pub use webhook::{Item, ItemKind, MarketingChoice, NotJson, Route};
