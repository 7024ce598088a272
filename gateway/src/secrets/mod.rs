//! Secrets at rest: envelopes, the keys that seal them, and keys derived for other purposes.
//!
//! An [`Envelope`](envelope)'s place (table, column, tenant, row) is authenticated with it, so a secret copied to
//! another row does not open there. This mechanism stores nothing: callers put the bytes where the place says.

mod entropy;
mod envelope;
mod key_file;
mod keyring;
mod keys;

pub use entropy::{Entropy, SystemEntropy};
pub use envelope::Place;
pub use key_file::KeyFileError;
pub use keyring::{Keyring, KeyringError, Missing, Source};
pub use keys::{KeyId, KeysError};

/// Why a secret could not be sealed or opened. Never says anything about the secret itself.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the envelope is damaged, or was sealed for another place")]
    Refused,
    #[error("the envelope was sealed with key {0}, which this process does not have")]
    UnknownKey(KeyId),
    #[error("the envelope has a version or length that this program does not know")]
    Malformed,
    #[error("the system gave no randomness: {0}")]
    Entropy(String),
}

#[cfg(test)]
mod tests;
