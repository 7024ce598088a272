//! The hooks: a plugin implements the traits it wants and names them in [`crate::export!`].

use crate::{EventTurn, Failure, Outcome, ReceiptTurn, TimerTurn, Turn};

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
///
/// ```
/// # use vestibule_plugin::{Failure, Route, Routing, Turn};
/// struct Billing;
///
/// impl Routing for Billing {
///     fn route(turn: &mut Turn) -> Result<Route, Failure> {
///         if !turn.message().text().contains("invoice") {
///             return Ok(Route::Pass);
///         }
///         turn.hand_over("billing", Some("asks about an invoice"))?;
///         Ok(Route::AsAsked)
///     }
/// }
/// vestibule_plugin::export!(Billing as routing);
/// ```
pub trait Routing {
    fn route(turn: &mut Turn<'_>) -> Result<Route, Failure>;
}

/// Called when the conversation is the bot's: what to answer.
pub trait AutoReply {
    fn reply(turn: &mut Turn<'_>) -> Outcome;
}

/// Called when the tenant's systems tell of something, for the contact that it is about.
///
/// ```
/// # use vestibule_plugin::{EventTurn, OnEvent, Outcome, Parameter};
/// struct Paid;
///
/// impl OnEvent for Paid {
///     fn handle(turn: &mut EventTurn) -> Outcome {
///         if turn.event().name() == "payment.succeeded" {
///             let amount = turn.event().field("amount").and_then(|amount| amount.number());
///             let amount = format!("{:.2}", amount.unwrap_or_default());
///             turn.reply_template("payment_received", "en", &[Parameter::positional(amount)])?;
///         }
///         Ok(())
///     }
/// }
/// vestibule_plugin::export!(Paid as on_event);
/// ```
pub trait OnEvent {
    fn handle(turn: &mut EventTurn<'_>) -> Outcome;
}

/// Called when a timer of this plugin is due, while the bot has the conversation.
///
/// ```
/// # use vestibule_plugin::{OnTimer, Outcome, TimerTurn};
/// struct Reminder;
///
/// impl OnTimer for Reminder {
///     fn fire(turn: &mut TimerTurn) -> Outcome {
///         turn.reply_text("Are you still there?")?;
///         Ok(())
///     }
/// }
/// vestibule_plugin::export!(Reminder as on_timer);
/// ```
pub trait OnTimer {
    fn fire(turn: &mut TimerTurn<'_>) -> Outcome;
}

/// Called when Meta tells what became of a message of ours. It notes facts and cannot speak.
pub trait OnReceipt {
    fn receive(turn: &mut ReceiptTurn<'_>) -> Outcome;
}

/// What a [`Routing`] hook decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// The bot keeps it.
    Bot,
    /// People: a queue by name.
    Queue(String),
    /// An agent by name.
    Agent(String),
    /// Nothing is to be said to this message.
    Silence,
    /// No opinion: the next plugin decides.
    Pass,
    /// Where this call said by [`Turn::hand_over`](crate::Turn::hand_over) or
    /// [`Turn::hand_to`](crate::Turn::hand_to): answered if, and only if, it did.
    AsAsked,
}
