//! What was said in this conversation before, and who has it (grant `conversation`).

use crate::{ReadError, host};

pub use crate::bindings::host::vestibule::plugin::conversation::{
    Entry, Owner, Ownership, Speaker,
};

/// What was said before this turn, the newest first: at most `most` (1 to 50) entries and 32 KiB of words.
///
/// ```
/// # use vestibule_plugin::{history, history::Speaker, Outcome, Turn};
/// # fn reply(turn: &mut Turn) -> Outcome {
/// let said = history::recent(20)?;
/// let persons = said.iter().filter(|entry| entry.who == Speaker::Person);
/// let last = persons.map(|entry| entry.text.as_str()).next().unwrap_or("nothing");
/// turn.hand_over("support", Some(&format!("said before: {last}")))?;
/// # Ok(())
/// # }
/// ```
pub fn recent(most: u32) -> Result<Vec<Entry>, ReadError> {
    host::recent(most)
}

/// Who has the conversation, as the turn found it.
pub fn owned_by() -> Result<Ownership, ReadError> {
    host::owned_by()
}
