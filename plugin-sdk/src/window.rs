//! May anything be said to this person now, and what decides its price (grant `window`).
//!
//! The gateway's own reading, by which it decides on what the plugin says. It answers for the moment of the turn.

use crate::{ReadError, host};

pub use crate::bindings::host::vestibule::plugin::window::{PriceClass, State};

/// The 24 hours in which more than templates may be sent.
///
/// ```
/// # use vestibule_plugin::{window, Outcome, TimerTurn};
/// # fn fire(turn: &mut TimerTurn) -> Outcome {
/// match window::now()? {
///     window::State::Closed => turn.reply_template("reminder", "en", &[])?,
///     _ => turn.reply_text("Still there?")?,
/// }
/// # Ok(())
/// # }
/// ```
pub fn now() -> Result<State, ReadError> {
    host::window_now()
}

/// What decides the price of what is said now.
pub fn price() -> Result<PriceClass, ReadError> {
    host::window_price()
}

/// May more than a template be sent? It may where nobody knows, and in a state that came after this version of the contract:
/// then Meta judges.
pub fn lets_speak() -> Result<bool, ReadError> {
    Ok(now()? != State::Closed)
}
