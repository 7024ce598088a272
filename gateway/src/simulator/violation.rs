//! Breaches of Meta's rules that the simulator saw. A well-behaved gateway leaves this list empty.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use serde::Serialize;

use super::counters::Counters;
use crate::domain::Timestamp;
use crate::sync::lock;

/// One breach: a request that Meta would have refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Meta's error code of the rule.
    pub code: i64,
    pub phone_number_id: String,
    pub recipient: Option<String>,
    pub at: Timestamp,
    pub details: String,
    pub opaque: Option<String>,
}

/// The newest violations.
#[derive(Debug)]
pub(super) struct Violations {
    limit: usize,
    kept: Mutex<VecDeque<Violation>>,
}

impl Violations {
    pub fn keeping(limit: usize) -> Self {
        Self {
            limit,
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Violation>> {
        lock(&self.kept)
    }

    pub fn record(&self, violation: Violation, counters: &Counters) {
        counters.violations.one();
        let mut kept = self.kept();
        kept.push_back(violation);
        if kept.len() > self.limit {
            kept.pop_front();
            counters.violations_dropped.one();
        }
    }

    pub fn all(&self) -> Vec<Violation> {
        self.kept().iter().cloned().collect()
    }

    pub fn clear(&self) {
        self.kept().clear();
    }
}
