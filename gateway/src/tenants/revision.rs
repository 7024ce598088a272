//! Revisions: by which somebody who edits says what they have read, so that nobody's change is lost unseen.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::SetupError;

/// A short name of what an object says now: equal content, equal revision.
pub fn revision(content: &Value) -> String {
    let digest = Sha256::digest(content.to_string());
    hex::encode(&digest[..12])
}

/// What whoever edits expects to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is by now.
    Anything,
    /// One of these revisions.
    OneOf(Vec<String>),
}

impl Expected {
    /// Asked inside the transaction of the change, after the row was locked.
    pub fn check(&self, current: &str) -> Result<(), SetupError> {
        match self {
            Self::Anything => Ok(()),
            Self::OneOf(revisions) if revisions.iter().any(|known| known == current) => Ok(()),
            Self::OneOf(_) => Err(SetupError::Changed),
        }
    }
}
