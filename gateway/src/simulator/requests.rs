//! The record of requests to `/messages`: what came when, and what was answered.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
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
    sequence: AtomicU64,
    kept: Mutex<VecDeque<Arc<RequestRecord>>>,
    changed: Notify,
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
            sequence: AtomicU64::new(1),
            kept: Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<RequestRecord>>> {
        lock(&self.kept)
    }

    pub fn record(&self, new: NewRecord<'_>, counters: &Counters) {
        if self.limit == 0 {
            return;
        }
        let elapsed = new.arrival.instant.duration_since(self.started);
        let record = Arc::new(RequestRecord {
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed),
            received: new.arrival.instant,
            elapsed_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            at: new.arrival.at,
            phone_number_id: new.phone_number_id.to_owned(),
            recipient: new.recipient.map(str::to_owned),
            opaque: new.opaque.map(str::to_owned),
            body: String::from_utf8_lossy(new.body).into_owned(),
            answer: new.answer,
        });
        let mut kept = self.kept();
        kept.push_back(record);
        if kept.len() > self.limit {
            kept.pop_front();
            counters.requests_dropped.one();
        }
        drop(kept);
        self.changed.notify_waiters();
    }

    /// Oldest first.
    pub fn matching(&self, wanted: impl Fn(&RequestRecord) -> bool) -> Vec<Arc<RequestRecord>> {
        let all: Vec<_> = self.kept().iter().cloned().collect();
        all.into_iter().filter(|record| wanted(record)).collect()
    }

    pub fn clear(&self) {
        self.kept().clear();
    }

    /// Waits until `holds` is true of all kept requests.
    pub async fn wait_for(&self, holds: impl Fn(&[Arc<RequestRecord>]) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let all: Vec<_> = self.kept().iter().cloned().collect();
            if holds(&all) {
                return;
            }
            changed.await;
        }
    }
}
