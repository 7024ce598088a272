//! The end of the process, and whether it should get work: shutdown tokens, liveness, readiness.
//!
//! Soft: stop accepting, finish what runs. Hard: stop now. Hard follows soft after a time, or at a second signal; what
//! it cuts off is picked up at the next start, because only commits count.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::sync::lock;

/// Two tokens that every long-lived task watches. Clones are the same shutdown.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Shutdown {
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when nothing new may begin.
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when what runs must end now. Soft is cancelled by then.
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Begins the end: soft now, hard after `timeout` unless everything has ended by then.
    pub async fn begin(&self, timeout: Duration) {
        self.soft.cancel();
        tokio::select! {
            () = tokio::time::sleep(timeout) => {
                tracing::warn!(?timeout, "shutdown: time is up, stopping now");
                self.hard.cancel();
            }
            () = self.hard.cancelled() => {}
        }
    }

    /// Stops everything at once.
    pub fn stop_now(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Waits for SIGTERM or SIGINT, as long as the process lives. The first begins the end, the second hurries it.
    pub async fn on_signals(self, timeout: Duration) -> std::io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        either(&mut terminate, &mut interrupt).await;
        tracing::info!(?timeout, "shutdown: finishing what runs");
        tokio::select! {
            () = self.begin(timeout) => {}
            () = either(&mut terminate, &mut interrupt) => {
                tracing::warn!("shutdown: second signal, stopping now");
                self.stop_now();
            }
        }
        Ok(())
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

/// Something without which this node should get no webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    Database,
    Leases,
    /// What is set up could be read.
    Setup,
}

/// What this node lacks right now. Starts with everything lacking.
#[derive(Debug, Clone)]
pub struct Health {
    lacking: Arc<Mutex<BTreeSet<Need>>>,
    shutdown: Shutdown,
}

/// The answer of `/ready`.
#[derive(Debug, PartialEq, Eq, serde::Serialize)]
pub struct Readiness {
    pub ready: bool,
    pub draining: bool,
    pub lacking: BTreeSet<Need>,
}

impl Health {
    pub fn new(shutdown: Shutdown) -> Self {
        let lacking = BTreeSet::from([Need::Database, Need::Leases, Need::Setup]);
        Self {
            lacking: Arc::new(Mutex::new(lacking)),
            shutdown,
        }
    }

    /// Whoever watches a need tells here how it is.
    pub fn set(&self, need: Need, met: bool) {
        let mut lacking = lock(&self.lacking);
        if met {
            lacking.remove(&need);
        } else {
            lacking.insert(need);
        }
    }

    pub fn readiness(&self) -> Readiness {
        let lacking = lock(&self.lacking).clone();
        let draining = self.shutdown.soft.is_cancelled();
        Readiness {
            ready: lacking.is_empty() && !draining,
            draining,
            lacking,
        }
    }

    /// `GET /live` (the process answers) and `GET /ready` (a load balancer may send it work).
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/live", get(async || StatusCode::OK))
            .route("/ready", get(ready))
            .with_state(self.clone())
    }
}

async fn ready(State(health): State<Health>) -> (StatusCode, Json<Readiness>) {
    let readiness = health.readiness();
    let status = match readiness.ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(readiness))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn get_json(health: &Health, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let answer = health.routes().oneshot(request).await.expect("an answer");
        let status = answer.status();
        let body = answer
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn a_node_is_ready_when_nothing_is_lacking_and_until_it_drains() {
        let shutdown = Shutdown::new();
        let health = Health::new(shutdown.clone());
        let lacking = r#"{"ready":false,"draining":false,"lacking":["database","leases","setup"]}"#;
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        assert_eq!(
            get_json(&health, "/ready").await,
            (unavailable, lacking.to_owned())
        );
        health.set(Need::Database, true);
        health.set(Need::Leases, true);
        health.set(Need::Setup, true);
        let ready = r#"{"ready":true,"draining":false,"lacking":[]}"#;
        assert_eq!(
            get_json(&health, "/ready").await,
            (StatusCode::OK, ready.to_owned())
        );
        shutdown.soft().cancel();
        let draining = r#"{"ready":false,"draining":true,"lacking":[]}"#;
        assert_eq!(
            get_json(&health, "/ready").await,
            (unavailable, draining.to_owned())
        );
        assert_eq!(get_json(&health, "/live").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn soft_comes_before_hard_and_hard_ends_the_waiting() {
        let shutdown = Shutdown::new();
        let ending = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.begin(Duration::from_secs(3600)).await }
        });
        shutdown.soft().cancelled().await;
        assert!(!shutdown.hard().is_cancelled());
        shutdown.stop_now();
        ending.await.expect("it ends at once");
    }

    #[tokio::test]
    async fn when_the_time_is_up_everything_stops() {
        let shutdown = Shutdown::new();
        shutdown.begin(Duration::ZERO).await;
        assert!(shutdown.soft().is_cancelled() && shutdown.hard().is_cancelled());
    }
}
