//! Why a command was not carried out.

use serde::{Deserialize, Serialize};

use crate::graph::client::call::Failed;
use crate::tenants::SetupError;

/// Text, because it crosses the socket. It never repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", content = "message", rename_all = "snake_case")]
pub enum AdminError {
    /// Whoever asked can put it right. Nothing changed.
    #[error("{0}")]
    Refused(String),
    /// The deployment is in trouble; whether something changed has to be looked up.
    #[error("{0}")]
    Failed(String),
}

impl AdminError {
    /// An error with everything that it came from, on one line.
    pub(super) fn failed(error: &dyn std::error::Error) -> Self {
        Self::Failed(chain(error))
    }
}

impl From<SetupError> for AdminError {
    fn from(error: SetupError) -> Self {
        match error.is_refusal() {
            true => Self::Refused(chain(&error)),
            false => Self::Failed(chain(&error)),
        }
    }
}

impl From<Failed> for AdminError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused { .. } | Failed::Busy(..) => Self::Refused(failed.to_string()),
            Failed::Unreached(_) | Failed::Doubt(..) => Self::Failed(failed.to_string()),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| {
        format!("{text}: {source}")
    })
}
