//! The way out for updates: held back, delayed, or straight into a lane; and how many are still on their way.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::super::config::WebhookPolicy;
use super::super::counters::Counters;
use super::super::wire::WireLog;
use super::super::world::monotonic;
use super::body::{self, Update};
use super::callback::Callbacks;
use super::lane::{self, Job};
use super::post::{PostError, Poster, Target};
use super::sign::Signature;

use crate::sync::{lock, read, write};

/// In which order held updates are put into the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlushOrder {
    #[default]
    AsMade,
    Reversed,
}

/// How held updates are let go: as one POST, sent `times` times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flush {
    pub order: FlushOrder,
    pub times: u32,
    pub signature: Signature,
    /// Go on holding what comes after.
    pub keep_holding: bool,
}

impl Default for Flush {
    fn default() -> Self {
        Self {
            order: FlushOrder::AsMade,
            times: 1,
            signature: Signature::Valid,
            keep_holding: false,
        }
    }
}

/// What lanes and the outlet share.
pub(super) struct Shared {
    pub policy: WebhookPolicy,
    pub counters: Arc<Counters>,
    pub wire: Arc<WireLog>,
    pub stop: CancellationToken,
    target: RwLock<Option<Arc<Target>>>,
    pub callbacks: Callbacks,
    lanes: RwLock<Vec<UnboundedSender<Job>>>,
    /// Updates dispatched and neither accepted nor given up.
    waiting: AtomicUsize,
    idle: Notify,
}

impl Shared {
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.policy.timeout_ms)
    }

    pub fn target(&self) -> Option<Arc<Target>> {
        read(&self.target).clone()
    }

    pub fn push(&self, lane: usize, job: Job) {
        let lanes = read(&self.lanes);
        if let Some(sender) = lanes.get(lane % lanes.len().max(1)) {
            // A lane is gone only when the simulator has stopped.
            let _stopped = sender.send(job);
        }
    }

    pub fn settle(&self, updates: usize) {
        if self.waiting.fetch_sub(updates, Ordering::AcqRel) == updates {
            self.idle.notify_waiters();
        }
    }
}

/// Where updates go out.
pub(crate) struct Outlet {
    shared: Arc<Shared>,
    holding: AtomicBool,
    held: Mutex<Vec<Update>>,
}

impl std::fmt::Debug for Outlet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlet")
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

impl Outlet {
    /// Starts the lanes; they end with `stop`. Must be called inside a tokio runtime.
    pub fn start(
        policy: WebhookPolicy,
        target: Option<Target>,
        counters: Arc<Counters>,
        wire: Arc<WireLog>,
        stop: CancellationToken,
    ) -> Self {
        let connections = policy.connections.max(1);
        let shared = Arc::new(Shared {
            policy,
            counters,
            wire,
            stop,
            target: RwLock::new(target.map(Arc::new)),
            callbacks: Callbacks::default(),
            lanes: RwLock::default(),
            waiting: AtomicUsize::new(0),
            idle: Notify::new(),
        });
        let lanes = (0..connections).map(|lane| {
            let (sender, jobs) = unbounded_channel();
            tokio::spawn(lane::run(Arc::clone(&shared), lane, jobs));
            sender
        });
        *write(&shared.lanes) = lanes.collect();
        Self {
            shared,
            holding: AtomicBool::new(false),
            held: Mutex::default(),
        }
    }

    pub fn set_target(&self, target: Target) {
        let mut slot = write(&self.shared.target);
        *slot = Some(Arc::new(target));
    }

    /// The callback of a number or account of its own; `None` takes it away.
    pub fn set_callback(&self, id: &str, target: Option<Target>) {
        self.shared.callbacks.set(id, target);
    }

    fn held(&self) -> MutexGuard<'_, Vec<Update>> {
        lock(&self.held)
    }

    /// Sends an update, or keeps it while webhooks are held.
    pub fn dispatch(&self, update: Update) {
        if self.holding.load(Ordering::Acquire) {
            let mut held = self.held();
            if self.holding.load(Ordering::Acquire) {
                return held.push(update);
            }
        }
        self.send(update);
    }

    fn send(&self, update: Update) {
        send(&self.shared, update);
    }

    pub fn dispatch_after(&self, update: Update, delay: Duration) {
        if delay.is_zero() {
            return self.dispatch(update);
        }
        let shared = Arc::clone(&self.shared);
        shared.waiting.fetch_add(1, Ordering::AcqRel);
        tokio::spawn(async move {
            tokio::select! {
                () = shared.stop.cancelled() => {}
                () = tokio::time::sleep(delay) => send(&shared, update),
            }
            shared.settle(1);
        });
    }

    pub fn hold(&self) {
        self.holding.store(true, Ordering::Release);
    }

    /// Updates that are held back.
    pub fn held_count(&self) -> usize {
        self.held().len()
    }

    /// Lets everything held go as one POST for each callback, and says what each of the `times` was answered. Not
    /// redelivered.
    ///
    /// # Errors
    /// A POST had no answer; those before it had one.
    pub async fn flush(&self, flush: Flush) -> Result<Vec<StatusCode>, PostError> {
        let mut updates = {
            let mut held = self.held();
            self.holding.store(flush.keep_holding, Ordering::Release);
            std::mem::take(&mut *held)
        };
        if updates.is_empty() {
            return Ok(Vec::new());
        }
        if flush.order == FlushOrder::Reversed {
            updates.reverse();
        }
        let mut answers = Vec::new();
        for (to, updates) in self.shared.callbacks.sorted(updates) {
            let body = body::body(&updates);
            let own = to.or_else(|| self.shared.target());
            answers.extend(self.post(own, body, flush.signature, flush.times).await?);
        }
        Ok(answers)
    }

    /// Posts exactly these bytes `times` times, one after the other. Not redelivered.
    ///
    /// # Errors
    /// A POST had no answer; those before it had one.
    pub async fn deliver(
        &self,
        body: Bytes,
        signature: Signature,
        times: u32,
    ) -> Result<Vec<StatusCode>, PostError> {
        self.post(self.shared.target(), body, signature, times)
            .await
    }

    async fn post(
        &self,
        target: Option<Arc<Target>>,
        body: Bytes,
        signature: Signature,
        times: u32,
    ) -> Result<Vec<StatusCode>, PostError> {
        let target = target.ok_or(PostError::NoTarget)?;
        let mut poster = Poster::new(self.shared.timeout());
        let mut answers = Vec::new();
        for _ in 0..times {
            self.shared.counters.webhook_posts.one();
            let began = monotonic();
            let answer = poster.post(&target, body.clone(), signature).await;
            self.shared.wire.webhook(&target, began, &body, &answer);
            match &answer {
                Ok(StatusCode::OK) => self.shared.counters.webhook_accepted.one(),
                _ => self.shared.counters.webhook_failed.one(),
            }
            answers.push(answer?);
        }
        Ok(answers)
    }

    /// The handshake of §1.1 with the webhook URL.
    ///
    /// # Errors
    /// No answer came.
    pub async fn handshake(&self, verify_token: &str) -> Result<bool, PostError> {
        let target = self.shared.target().ok_or(PostError::NoTarget)?;
        self.handshake_with(&target, verify_token).await
    }

    /// The same with another callback, before it is set.
    ///
    /// # Errors
    /// No answer came.
    pub async fn handshake_with(
        &self,
        target: &Arc<Target>,
        verify_token: &str,
    ) -> Result<bool, PostError> {
        Poster::new(self.shared.timeout())
            .handshake(target, verify_token, "1158201444")
            .await
    }

    /// Updates on their way: dispatched and neither accepted nor given up. Held ones do not count.
    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Acquire)
    }

    /// Waits until nothing is on its way.
    pub async fn idle(&self) {
        loop {
            let idle = self.shared.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            if self.waiting() == 0 {
                return;
            }
            idle.await;
        }
    }
}

fn send(shared: &Shared, update: Update) {
    if shared.waiting.load(Ordering::Relaxed) >= shared.policy.max_waiting {
        return shared.counters.webhook_overflow.one();
    }
    shared.waiting.fetch_add(1, Ordering::AcqRel);
    shared.push(update.lane, Job::Update(update));
}
