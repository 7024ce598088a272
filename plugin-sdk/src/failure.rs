//! How a hook ends: done, or a failure that says what to do next.

use std::fmt;
use std::time::Duration;

/// What a hook returns. On `Err` none of its effects is applied and its `kv` writes are forgotten.
pub type Outcome = Result<(), Failure>;

/// Says to the host what to do next. Effect, `kv`, config and JSON errors become one by `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Never try this again: the turn falls back at once.
    Reject(String),
    /// Run the turn again, not before this time has passed.
    Retry(Duration),
    /// The plugin's own bug: counts against its circuit breaker, the turn falls back.
    Fault(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reject(why) => write!(f, "rejected: {why}"),
            Self::Retry(after) => write!(f, "to be tried again after {} ms", after.as_millis()),
            Self::Fault(why) => write!(f, "faulty: {why}"),
        }
    }
}

impl std::error::Error for Failure {}

/// JSON of our own that does not fit is a bug, not the customer's doing.
impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Failure::Fault(error.to_string())
    }
}
