//! Words that the gateway obeys before any plugin sees them: opt-out, opt-in, and "I want a person".
//!
//! One table for all tenants ([`table`]) and each tenant's own additions and removals over it. A word is the whole
//! message or nothing: "please stop the noise" is a sentence for the bot. What a word does is `consent`'s to say.

mod book;
mod normalise;
mod table;
#[cfg(test)]
mod tests;

pub use book::{WordBook, WordChanges, WordMatch};
pub use normalise::normalise;

use super::consent::ConsentWord;

/// What a word asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WordClass {
    Consent(ConsentWord),
    /// "I want a person": the owner becomes the queue.
    Human,
}
