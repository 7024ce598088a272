//! A tenant's own system: it takes webhooks, checks them by the standard, and fails as a script says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// What it answers next, and what it got.
#[derive(Debug, Default)]
struct Book {
    secret: String,
    /// Answers to come, the first first; afterwards 200.
    script: Vec<u16>,
    /// Answers by number of event, before the script.
    by_seq: BTreeMap<i64, u16>,
    requests: Vec<Received>,
}

/// A request, as its signature vouches for it.
#[derive(Debug, Clone)]
pub struct Received {
    pub id: String,
    pub answered: u16,
    pub event: Value,
    pub signatures: usize,
}

impl Received {
    pub fn seq(&self) -> i64 {
        self.event["seq"].as_i64().expect("a number")
    }

    pub fn kind(&self) -> &str {
        self.event["type"].as_str().expect("a type")
    }
}

#[derive(Debug, Clone)]
pub struct Receiver {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let book = Arc::<Mutex<Book>>::default();
        let routes = Router::new()
            .route("/hook", post(take))
            .with_state(book.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, book }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn knows(&self, secret: &str) {
        self.book.lock().expect("the book").secret = secret.to_owned();
    }

    /// Answers to come, before it answers 200 again.
    pub fn answers(&self, script: impl IntoIterator<Item = u16>) {
        self.book.lock().expect("the book").script = script.into_iter().collect();
    }

    /// Answers this event so, until it is told otherwise.
    pub fn answers_to(&self, seq: i64, status: u16) {
        self.book
            .lock()
            .expect("the book")
            .by_seq
            .insert(seq, status);
    }

    pub fn requests(&self) -> Vec<Received> {
        self.book.lock().expect("the book").requests.clone()
    }

    /// The events that it took, in the order in which it did.
    pub fn taken(&self) -> Vec<Received> {
        let all = self.requests().into_iter();
        all.filter(|request| request.answered == 200).collect()
    }

    /// Waits until it has taken all of these.
    pub async fn until_taken(&self, seqs: impl IntoIterator<Item = i64> + Clone) -> Vec<Received> {
        vestibule_tests::until("the endpoint has the events", async || {
            let taken = self.taken();
            let has = |seq| taken.iter().any(|request| request.seq() == seq);
            seqs.clone().into_iter().all(has).then_some(taken)
        })
        .await
    }
}

async fn take(State(book): State<Arc<Mutex<Book>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut book = book.lock().expect("the book");
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or("")
            .to_owned()
    };
    let id = header("webhook-id");
    let signed = signature(&book.secret, &id, &header("webhook-timestamp"), &body);
    let signatures = header("webhook-signature");
    assert!(
        signatures.split(' ').any(|one| one == signed),
        "a request that we did not sign: {signatures}"
    );
    let event: Value = serde_json::from_slice(&body).expect("JSON");
    let seq = event["seq"].as_i64().expect("a number");
    let answered = match book.by_seq.get(&seq) {
        Some(status) => *status,
        None if book.script.is_empty() => 200,
        None => book.script.remove(0),
    };
    book.requests.push(Received {
        id,
        answered,
        event,
        signatures: signatures.split(' ').count(),
    });
    StatusCode::from_u16(answered).expect("a status")
}

/// As the standard says, written from its text and not from the gateway's code.
fn signature(secret: &str, id: &str, at: &str, body: &[u8]) -> String {
    let key = STANDARD
        .decode(secret.strip_prefix("whsec_").expect("a secret"))
        .expect("base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any key");
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}
