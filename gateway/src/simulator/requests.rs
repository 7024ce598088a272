//! The record of requests to `/messages`: what came when, and what was answered.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use serde::Serialize;
use tokio::sync::Notify;

use super::counters::Counters;
use crate::domain::Timestamp;
use crate::sync::lock;

/// When a request's head and body had been read.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// By the simulator's clock.
    pub at: Timestamp,
    /// By the monotonic clock: what "no POST begins later than" is judged by.
    pub instant: Instant,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Answered {
    /// HTTP status; `None`: the connection was cut.
    pub status: Option<u16>,
    /// Meta's error code.
    pub code: Option<i64>,
    /// The message id, also when the answer never went out.
    pub wamid: Option<String>,
    /// The scripted fault that was played.
    pub fault: Option<&'static str>,
}

/// One request to `/messages`.
#[derive(Debug, Clone, Serialize)]
pub struct RequestRecord {
    /// Counts from 1 in order of arrival at the record.
    pub sequence: u64,
    #[serde(skip)]
    pub received: Instant,
    /// Monotonic microseconds since the simulator started.
    pub elapsed_us: u64,
    pub at: Timestamp,
    pub phone_number_id: String,
    /// The chat's key, if the request named a recipient.
    pub recipient: Option<String>,
    pub opaque: Option<String>,
    pub body: String,
    pub answer: Answered,
}

/// The newest requests.
#[derive(Debug)]
pub(super) struct RequestLog {
    limit: usize,
    started: Instant,
    kept: Mutex<Kept>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    /// Of the last one, kept or not.
    sequence: u64,
    records: VecDeque<Arc<RequestRecord>>,
}

/// A request as it goes into the log.
pub(super) struct NewRecord<'a> {
    pub arrival: Arrival,
    pub phone_number_id: &'a str,
    pub recipient: Option<&'a str>,
    pub opaque: Option<&'a str>,
    pub body: &'a [u8],
    pub answer: Answered,
}

impl RequestLog {
    pub fn keeping(limit: usize, started: Instant) -> Self {
        Self {
            limit,
            started,
            kept: Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }

    pub fn record(&self, new: NewRecord<'_>, counters: &Counters) {
        if self.limit == 0 {
            return;
        }
        let elapsed = new.arrival.instant.duration_since(self.started);
        let body = String::from_utf8_lossy(new.body).into_owned();
        let mut kept = self.kept();
        // Counted where it is put in line: whoever reads on after the last one misses none.
        kept.sequence += 1;
        let record = Arc::new(RequestRecord {
            sequence: kept.sequence,
            received: new.arrival.instant,
            elapsed_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            at: new.arrival.at,
            phone_number_id: new.phone_number_id.to_owned(),
            recipient: new.recipient.map(str::to_owned),
            opaque: new.opaque.map(str::to_owned),
            body,
            answer: new.answer,
        });
        kept.records.push_back(record);
        if kept.records.len() > self.limit {
            kept.records.pop_front();
            counters.requests_dropped.one();
        }
        drop(kept);
        self.changed.notify_waiters();
    }

    /// Oldest first.
    pub fn matching(&self, wanted: impl Fn(&RequestRecord) -> bool) -> Vec<Arc<RequestRecord>> {
        let all: Vec<_> = self.kept().records.iter().cloned().collect();
        all.into_iter().filter(|record| wanted(record)).collect()
    }

    pub fn clear(&self) {
        self.kept().records.clear();
    }

    /// Waits until `holds` is true of all kept requests.
    pub async fn wait_for(&self, holds: impl Fn(&[Arc<RequestRecord>]) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let all: Vec<_> = self.kept().records.iter().cloned().collect();
            if holds(&all) {
                return;
            }
            changed.await;
        }
    }
}
