//! What the grants that only read have in common: [`crate::window`], [`crate::contacts`], [`crate::history`],
//! [`crate::templates`].

use std::fmt;
use std::time::Duration;

use crate::Failure;

/// Why a read has no result.
///
/// ```
/// # use vestibule_plugin::{history, Outcome, ReadError, Turn};
/// # fn reply(turn: &mut Turn) -> Outcome {
/// // A plugin that can do without says so: one binary runs under any grants.
/// let said = match history::recent(10) {
///     Err(ReadError::Denied) => Vec::new(),
///     said => said?,
/// };
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// The grant is missing: the manifest does not ask for it, or nobody gave it.
    Denied,
    /// The argument is not what the call needs; the text names it.
    Invalid(String),
    /// A limit of the turn is used up; the text says which.
    Quota(String),
    /// The store did not answer; the turn can be tried again.
    Unavailable(String),
    /// For a reason that came after this version of the contract; the text says which. Taken as [`Self::Unavailable`].
    Other(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => write!(f, "the grant is missing"),
            Self::Invalid(what) => write!(f, "not asked as it should be: {what}"),
            Self::Quota(what) => write!(f, "asked too often: {what}"),
            Self::Unavailable(why) | Self::Other(why) => write!(f, "it cannot be read: {why}"),
        }
    }
}

impl std::error::Error for ReadError {}

/// How soon a turn is worth trying again. A guess, as that of `kv`.
const UNAVAILABLE_PAUSE: Duration = Duration::from_secs(1);

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Denied => Failure::Reject(error.to_string()),
            ReadError::Unavailable(_) | ReadError::Other(_) => Failure::Retry(UNAVAILABLE_PAUSE),
            ReadError::Invalid(_) | ReadError::Quota(_) => Failure::Fault(error.to_string()),
        }
    }
}
