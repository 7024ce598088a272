//! Whose turn it is with SQLite's one writer: acknowledgements before everything else, and everything else now and then.
//!
//! A pool would serve in order of arrival, and Meta would wait behind every commit that turns and deliveries have queued.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{mpsc, oneshot};

use crate::sync::lock;

/// After so many acknowledging commits in a row somebody else has a turn, if anybody waits: what was acknowledged must
/// be worked off too. A guess: an acknowledging commit of 32 bodies takes 0.7 ms and another one 3 to 6 ms, which leaves
/// the others a quarter of the time while acknowledgements want all of it.
const URGENT_RUN: u32 = 16;

/// The queue of those who want to write.
#[derive(Debug)]
pub struct WriterGate {
    state: Mutex<State>,
    /// Who wants to know that something was written, or may have been.
    written: mpsc::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    held: bool,
    urgent: VecDeque<oneshot::Sender<WriterPermit>>,
    others: VecDeque<oneshot::Sender<WriterPermit>>,
    /// Urgent turns since somebody else had one.
    run: u32,
}

/// The right to write, until it is dropped.
#[derive(Debug)]
pub struct WriterPermit(Arc<WriterGate>);

impl WriterGate {
    /// The gate, and what comes after turns: once for one or many.
    pub(super) fn new() -> (Arc<Self>, mpsc::Receiver<()>) {
        let (written, receiver) = mpsc::channel(1);
        let gate = Self {
            state: Mutex::default(),
            written,
        };
        (Arc::new(gate), receiver)
    }

    /// Waits for a turn. A wait that is given up gives the turn to the next.
    pub(super) async fn enter(self: &Arc<Self>, urgent: bool) -> WriterPermit {
        let turn = {
            let mut state = self.state();
            if !state.held {
                state.held = true;
                state.run = if urgent { state.run + 1 } else { 0 };
                return WriterPermit(self.clone());
            }
            let (give, turn) = oneshot::channel();
            let queue = if urgent {
                &mut state.urgent
            } else {
                &mut state.others
            };
            queue.push_back(give);
            turn
        };
        turn.await
            .expect("the gate keeps every sender until it has sent")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Who waits and is next.
    fn next(&self) -> Option<oneshot::Sender<WriterPermit>> {
        let mut state = self.state();
        let others_first = state.run >= URGENT_RUN && !state.others.is_empty();
        if !others_first && let Some(next) = state.urgent.pop_front() {
            state.run += 1;
            return Some(next);
        }
        let next = state.others.pop_front();
        state.held = next.is_some();
        if state.held {
            state.run = 0;
        }
        next
    }
}

impl Drop for WriterPermit {
    fn drop(&mut self) {
        // Full: it will be looked at anyway.
        let _ = self.0.written.try_send(());
        while let Some(next) = self.0.next() {
            match next.send(Self(self.0.clone())) {
                Ok(()) => return,
                // Nobody waits there any more; the permit must not come back through its own drop.
                Err(permit) => std::mem::forget(permit),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn gate() -> Arc<WriterGate> {
        WriterGate::new().0
    }

    #[tokio::test]
    async fn acknowledgements_go_first() {
        let gate = gate();
        let held = gate.enter(false).await;
        let mut other = Box::pin(gate.enter(false));
        assert!(other.as_mut().now_or_never().is_none());
        let mut urgent = Box::pin(gate.enter(true));
        assert!(urgent.as_mut().now_or_never().is_none());
        drop(held);
        let acknowledging = urgent.await;
        assert!(other.as_mut().now_or_never().is_none());
        drop(acknowledging);
        other.await;
    }

    #[tokio::test]
    async fn others_have_a_turn_after_a_run_of_acknowledgements() {
        let gate = gate();
        let mut held = gate.enter(true).await;
        let mut other = Box::pin(gate.enter(false));
        assert!(other.as_mut().now_or_never().is_none());
        // The first of the run is held already.
        for _ in 1..URGENT_RUN {
            let mut urgent = Box::pin(gate.enter(true));
            assert!(urgent.as_mut().now_or_never().is_none());
            drop(held);
            held = urgent.await;
        }
        let mut urgent = Box::pin(gate.enter(true));
        assert!(urgent.as_mut().now_or_never().is_none());
        drop(held);
        let held = other.await;
        assert!(urgent.as_mut().now_or_never().is_none());
        drop(held);
        urgent.await;
    }

    #[tokio::test]
    async fn who_gives_up_stands_in_nobodys_way() {
        let gate = gate();
        let held = gate.enter(false).await;
        let mut gone = Box::pin(gate.enter(true));
        assert!(gone.as_mut().now_or_never().is_none());
        let mut granted = Box::pin(gate.enter(true));
        assert!(granted.as_mut().now_or_never().is_none());
        let mut last = Box::pin(gate.enter(false));
        assert!(last.as_mut().now_or_never().is_none());
        drop(gone);
        drop(held);
        // Granted, and dropped before it saw its turn.
        drop(granted);
        last.await;
        gate.enter(false).await;
    }
}
