//! The long-lived tasks of a node, each watched: a part that panics, or ends before it was told to, ends the node.
//!
//! A node that lost a part would still hold its leases and answer `/ready`, so that nobody else did its work either.
//! Stopped, its buckets go to others and the supervisor starts it anew.

use std::sync::{Arc, OnceLock};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::lifecycle::Shutdown;

/// A part ended that should not have: its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the part `{0}` of this node broke down, so the node stopped")]
pub struct PartFailed(pub &'static str);

/// Starts parts and knows how each of them ended. Clones are the same parts.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    shutdown: Shutdown,
    work: TaskTracker,
    upkeep: TaskTracker,
    /// Cancelled when all work has ended.
    worked: CancellationToken,
    failed: Arc<OnceLock<PartFailed>>,
}

impl Parts {
    pub(super) fn new(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            work: TaskTracker::new(),
            upkeep: TaskTracker::new(),
            worked: CancellationToken::new(),
            failed: Arc::default(),
        }
    }

    /// Cancelled when all work has ended: what work leans on goes on until then.
    pub(super) fn worked(&self) -> &CancellationToken {
        &self.worked
    }

    /// Starts a part that works: it ends by itself after the soft stop; at a hard stop it is dropped where it stands.
    pub(super) fn work(&self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        let (parts, running) = (self.clone(), tokio::spawn(part));
        self.work.spawn(async move {
            let abort = running.abort_handle();
            tokio::select! {
                () = parts.watch(name, running, parts.shutdown.soft()) => {}
                () = parts.shutdown.hard().cancelled() => abort.abort(),
            }
        });
    }

    /// Starts a part that work leans on (leases, health, metrics): it ends when work has.
    pub(super) fn upkeep(
        &self,
        name: &'static str,
        part: impl Future<Output = ()> + Send + 'static,
    ) {
        let (parts, running) = (self.clone(), tokio::spawn(part));
        self.upkeep
            .spawn(async move { parts.watch(name, running, &parts.worked).await });
    }

    async fn watch(
        &self,
        name: &'static str,
        running: JoinHandle<()>,
        may_end: &CancellationToken,
    ) {
        let problem = match running.await {
            Ok(()) if may_end.is_cancelled() => return,
            // At a hard stop parts are aborted: that is no failure.
            Err(error) if error.is_cancelled() => return,
            Ok(()) => "it ended before it was told to",
            Err(_) => "it panicked",
        };
        tracing::error!(part = name, problem, "a part broke down; the node stops");
        // The first one is the cause; what breaks down after it may be its consequence.
        let _ = self.failed.set(PartFailed(name));
        self.shutdown.stop_now();
    }

    /// Ends upkeep when work has ended after a stop. Called once, when every part has been started.
    pub(super) fn end_upkeep_after_work(&self) {
        let parts = self.clone();
        tokio::spawn(async move {
            parts.shutdown.soft().cancelled().await;
            parts.work.close();
            tokio::select! {
                () = parts.work.wait() => {}
                () = parts.shutdown.hard().cancelled() => {}
            }
            parts.worked.cancel();
        });
    }

    /// Waits until every part has ended. An error: one of them ended the others.
    pub(super) async fn finished(&self) -> Result<(), PartFailed> {
        self.work.close();
        self.work.wait().await;
        self.upkeep.close();
        self.upkeep.wait().await;
        self.failed.get().map_or(Ok(()), |failed| Err(*failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> (Shutdown, Parts) {
        let shutdown = Shutdown::new();
        let parts = Parts::new(shutdown.clone());
        parts.end_upkeep_after_work();
        (shutdown, parts)
    }

    fn until(stop: &CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        stop.clone().cancelled_owned()
    }

    #[tokio::test]
    async fn a_part_that_panics_stops_the_node_and_is_named() {
        let (shutdown, parts) = parts();
        parts.upkeep("leases", until(parts.worked()));
        parts.work("pipeline", until(shutdown.soft()));
        parts.work("delivery", async { panic!("a bug") });
        assert_eq!(parts.finished().await, Err(PartFailed("delivery")));
        assert!(shutdown.hard().is_cancelled());
    }

    #[tokio::test]
    async fn a_part_that_ends_too_early_stops_the_node_and_is_named() {
        let (shutdown, parts) = parts();
        parts.work("pipeline", until(shutdown.soft()));
        parts.upkeep("leases", async {});
        assert_eq!(parts.finished().await, Err(PartFailed("leases")));
    }

    #[tokio::test]
    async fn parts_that_end_when_they_are_told_to_are_no_failure() {
        let (shutdown, parts) = parts();
        parts.work("pipeline", until(shutdown.soft()));
        parts.work("stuck", std::future::pending());
        parts.upkeep("leases", until(parts.worked()));
        shutdown.soft().cancel();
        shutdown.stop_now();
        assert_eq!(parts.finished().await, Ok(()));
    }
}
