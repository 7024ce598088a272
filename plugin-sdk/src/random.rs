//! Randomness seeded by the turn: the same turn draws the same numbers. Never use it for secrets.

use crate::host;

/// The next 64 random bits.
///
/// ```
/// # use vestibule_plugin::random;
/// # fn greeting() -> &'static str {
/// let greetings = ["Hello!", "Good day!", "Welcome!"];
/// greetings[(random::next_u64() % 3) as usize]
/// # }
/// ```
pub fn next_u64() -> u64 {
    host::random_u64()
}

/// `len` random bytes.
pub fn bytes(len: u32) -> Vec<u8> {
    host::random_bytes(len)
}
