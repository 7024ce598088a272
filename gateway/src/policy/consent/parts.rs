//! A consent state as the columns of its row, and back.

use super::{ConsentState, OptOut};
use crate::domain::Timestamp;

/// The columns of a consent row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConsentParts {
    pub opt_out: i64,
    pub since: Option<i64>,
    pub replies_reopened_at: Option<i64>,
    pub meta_stopped_at: Option<i64>,
    pub marketing_given_at: Option<i64>,
    pub utility_given_at: Option<i64>,
    pub utility_stopped_at: Option<i64>,
    pub topics: i64,
    pub topics_stopped: i64,
}

impl ConsentState {
    pub fn to_parts(&self) -> ConsentParts {
        ConsentParts {
            opt_out: self.opt_out.code(),
            since: self.since.map(Timestamp::millis),
            replies_reopened_at: self.replies_reopened_at.map(Timestamp::millis),
            meta_stopped_at: self.meta_stopped_at.map(Timestamp::millis),
            marketing_given_at: self.marketing_given_at.map(Timestamp::millis),
            utility_given_at: self.utility_given_at.map(Timestamp::millis),
            utility_stopped_at: self.utility_stopped_at.map(Timestamp::millis),
            topics: self.topics,
            topics_stopped: self.topics_stopped,
        }
    }

    /// `None` when the row holds a level that this version does not know.
    pub fn from_parts(parts: ConsentParts) -> Option<Self> {
        Some(Self {
            opt_out: OptOut::from_code(parts.opt_out)?,
            since: parts.since.map(Timestamp::from_millis),
            replies_reopened_at: parts.replies_reopened_at.map(Timestamp::from_millis),
            meta_stopped_at: parts.meta_stopped_at.map(Timestamp::from_millis),
            marketing_given_at: parts.marketing_given_at.map(Timestamp::from_millis),
            utility_given_at: parts.utility_given_at.map(Timestamp::from_millis),
            utility_stopped_at: parts.utility_stopped_at.map(Timestamp::from_millis),
            topics: parts.topics,
            topics_stopped: parts.topics_stopped,
        })
    }
}
