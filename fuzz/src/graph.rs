//! As `graph` of the gateway, but for its client and errors.

#[path = "../../gateway/src/graph/json.rs"]
mod json;
#[path = "../../gateway/src/graph/signature.rs"]
pub mod signature;
#[path = "../../gateway/src/graph/webhook/mod.rs"]
pub mod webhook;

pub use signature::{SignatureError, SigningKey, VerifyingKeys};
pub use webhook::{Item, ItemKind, MarketingChoice, NotJson, Route};
