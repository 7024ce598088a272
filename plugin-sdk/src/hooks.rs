//! The hooks: a plugin implements the traits it wants and names them in [`crate::export!`].

use crate::{Failure, Outcome, Turn};

/// Called for every inbound message, before routing: set attributes, tags and the language. It cannot answer.
///
/// ```
/// # use vestibule_plugin::{Enrichment, Outcome, Turn};
/// struct Vip;
///
/// impl Enrichment for Vip {
///     fn enrich(turn: &mut Turn) -> Outcome {
///         if turn.message().text().contains("urgent") {
///             turn.add_tag("urgent")?;
///         }
///         Ok(())
///     }
/// }
/// vestibule_plugin::export!(Vip as enrichment);
/// ```
pub trait Enrichment {
    fn enrich(turn: &mut Turn<'_>) -> Outcome;
}

/// Called after enrichment: whose conversation is this?
pub trait Routing {
    fn route(turn: &mut Turn<'_>) -> Result<Route, Failure>;
}

/// Called when the conversation is the bot's: what to answer.
pub trait AutoReply {
    fn reply(turn: &mut Turn<'_>) -> Outcome;
}

/// What a [`Routing`] hook decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// The bot keeps it.
    Bot,
    /// People: a queue by name.
    Queue(String),
    /// Nothing is to be said to this message.
    Silence,
    /// No opinion: the next plugin decides.
    Pass,
}
