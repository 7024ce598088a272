//! The turn's time. It stands still during a turn, so that a replay sees the same.

use crate::host;

/// Unix milliseconds.
///
/// ```
/// # use vestibule_plugin::{clock, Outcome, Turn};
/// # fn reply(turn: &mut Turn) -> Outcome {
/// let hour_utc = clock::now() / 3_600_000 % 24;
/// if !(8..18).contains(&hour_utc) {
///     turn.reply_text("We are closed; we answer from 8 o'clock.")?;
/// }
/// # Ok(())
/// # }
/// ```
pub fn now() -> u64 {
    host::now()
}
