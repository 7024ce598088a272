//! A webhook endpoint that keeps what it is sent and answers what it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::sync::Notify;

#[derive(Debug, Clone)]
pub(super) struct Received {
    pub body: Bytes,
    pub signature: Option<String>,
}

#[derive(Debug, Default)]
struct Kept {
    received: Mutex<Vec<Received>>,
    answers: Mutex<VecDeque<StatusCode>>,
    changed: Notify,
}

pub(super) struct Endpoint {
    kept: Arc<Kept>,
    address: std::net::SocketAddr,
}

impl Endpoint {
    pub(super) async fn start() -> Self {
        let kept = Arc::new(Kept::default());
        let router = Router::new()
            .route("/hook", post(hook).get(handshake))
            .with_state(Arc::clone(&kept));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("it listens");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { kept, address }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The next POSTs are answered so; after that 200.
    pub(super) fn answers(&self, statuses: &[u16]) {
        let statuses = statuses
            .iter()
            .map(|s| StatusCode::from_u16(*s).expect("a status"));
        self.kept.answers.lock().expect("no panic").extend(statuses);
    }

    /// Waits for `count` POSTs and returns all so far.
    pub(super) async fn wait(&self, count: usize) -> Vec<Received> {
        let waiting = async {
            loop {
                let changed = self.kept.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                let received = self.received();
                if received.len() >= count {
                    return received;
                }
                changed.await;
            }
        };
        tokio::time::timeout(super::SOON, waiting)
            .await
            .expect("the webhooks come")
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.kept.received.lock().expect("no panic").clone()
    }
}

/// Whoever knows the token `t` gets the challenge back.
async fn handshake(axum::extract::RawQuery(query): axum::extract::RawQuery) -> String {
    let query = query.unwrap_or_default();
    let part = |name: &str| {
        let mut parts = query.split('&').filter_map(|part| part.split_once('='));
        parts.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let known = part("hub.verify_token") == Some("t");
    let challenge = part("hub.challenge").filter(|_| known);
    challenge.unwrap_or("no").to_owned()
}

async fn hook(State(kept): State<Arc<Kept>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers
        .get("x-hub-signature-256")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let received = Received { body, signature };
    kept.received.lock().expect("no panic").push(received);
    kept.changed.notify_waiters();
    let next = kept.answers.lock().expect("no panic").pop_front();
    next.unwrap_or(StatusCode::OK)
}

impl Received {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a webhook is JSON")
    }

    /// The one value of a webhook that is no batch.
    pub(super) fn value(&self) -> Value {
        self.json()["entry"][0]["changes"][0]["value"].clone()
    }

    /// An HMAC of this test's own making over the exact bytes.
    pub(super) fn is_signed_with(&self, secret: &str) -> bool {
        let mut mac: Hmac<Sha256> =
            Hmac::new_from_slice(secret.as_bytes()).expect("a key of any length");
        mac.update(&self.body);
        let digest = mac.finalize().into_bytes();
        let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.signature.as_deref() == Some(&*format!("sha256={digits}"))
    }
}
