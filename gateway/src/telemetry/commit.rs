//! How long the transactions of the hot path last: what acknowledgements wait for on SQLite.

use std::time::Instant;

use super::names;

/// From the begin of a transaction to its end, counted when dropped.
#[derive(Debug)]
pub struct CommitTimer {
    kind: &'static str,
    began: Instant,
}

impl CommitTimer {
    /// Call it when the transaction has begun; `rows`: what it carries.
    pub fn start(kind: &'static str, rows: usize) -> Self {
        metrics::counter!(names::COMMIT_ROWS, "kind" => kind).increment(rows as u64);
        #[allow(clippy::disallowed_methods, reason = "a measurement")]
        let began = Instant::now();
        Self { kind, began }
    }
}

impl Drop for CommitTimer {
    fn drop(&mut self) {
        let held = self.began.elapsed().as_secs_f64();
        metrics::histogram!(names::COMMIT_SECONDS, "kind" => self.kind).record(held);
    }
}
