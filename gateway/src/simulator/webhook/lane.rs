//! One lane: takes waiting updates, posts them one POST after the other, puts failures back after their backoff.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::mpsc::UnboundedReceiver;

use super::super::world::monotonic;
use super::body::{self, Update};
use super::outlet::Shared;
use super::post::{PostError, Poster, Target};
use super::sign::Signature;

/// What a lane is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    Update(Update),
    Redeliver(Attempt),
}

/// A body that was refused before.
#[derive(Debug)]
pub(super) struct Attempt {
    body: Bytes,
    updates: usize,
    number: u32,
    /// `None`: the app's callback, wherever that is by then.
    to: Option<Arc<Target>>,
}

/// Runs until every sender is gone or the simulator stops.
pub(super) async fn run(shared: Arc<Shared>, lane: usize, mut jobs: UnboundedReceiver<Job>) {
    let mut poster = Poster::new(shared.timeout());
    let mut waiting = Vec::new();
    let mut updates = Vec::new();
    let batch = shared.policy.batch.max(1);
    loop {
        let taken = tokio::select! {
            () = shared.stop.cancelled() => return,
            taken = jobs.recv_many(&mut waiting, batch) => taken,
        };
        if taken == 0 {
            return;
        }
        for job in waiting.drain(..) {
            match job {
                Job::Update(update) => updates.push(update),
                Job::Redeliver(attempt) => deliver(&shared, lane, &mut poster, attempt).await,
            }
        }
        for (to, updates) in shared.callbacks.sorted(std::mem::take(&mut updates)) {
            let attempt = Attempt {
                body: body::body(&updates),
                updates: updates.len(),
                number: 1,
                to,
            };
            deliver(&shared, lane, &mut poster, attempt).await;
        }
    }
}

async fn deliver(shared: &Arc<Shared>, lane: usize, poster: &mut Poster, attempt: Attempt) {
    let answer = post(shared, poster, &attempt).await;
    let counters = &shared.counters;
    counters.webhook_posts.one();
    if attempt.number > 1 {
        counters.webhook_redelivered.one();
    }
    if matches!(answer, Ok(StatusCode::OK)) {
        counters.webhook_accepted.one();
        return shared.settle(attempt.updates);
    }
    counters.webhook_failed.one();
    tracing::debug!(?answer, attempt = attempt.number, "webhook not accepted");
    if attempt.number >= shared.policy.attempts {
        counters.webhook_given_up.one();
        return shared.settle(attempt.updates);
    }
    again(shared, lane, attempt);
}

async fn post(
    shared: &Shared,
    poster: &mut Poster,
    attempt: &Attempt,
) -> Result<StatusCode, PostError> {
    let own = attempt.to.clone().or_else(|| shared.target());
    let target = own.ok_or(PostError::NoTarget)?;
    let began = monotonic();
    let answer = poster
        .post(&target, attempt.body.clone(), Signature::Valid)
        .await;
    shared.wire.webhook(&target, began, &attempt.body, &answer);
    answer
}

/// Redelivery waits outside of the lane: others go on, as with Meta.
fn again(shared: &Arc<Shared>, lane: usize, attempt: Attempt) {
    let wait = shared.policy.backoff(attempt.number);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {
                let next = Attempt { number: attempt.number + 1, ..attempt };
                shared.push(lane, Job::Redeliver(next));
            }
        }
    });
}
