//! A tenant's own server: it keeps what it was asked, and repeats it, as servers do that are being debugged.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::{Barrier, watch};

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    pub line: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str());
        value.expect("the header is there").expect("text")
    }
}

type Book = Arc<Mutex<Vec<Asked>>>;

#[derive(Clone)]
struct Desk {
    book: Book,
    /// Two requests of `/together` are answered when both are there.
    both: Arc<Barrier>,
    /// Requests of `/held` are answered from now on.
    released: watch::Receiver<bool>,
}

#[derive(Debug, Clone)]
pub struct Shop {
    address: SocketAddr,
    book: Book,
    connections: Arc<AtomicUsize>,
    released: watch::Sender<bool>,
}

impl Shop {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let book = Book::default();
        let (released, is_released) = watch::channel(false);
        let desk = Desk {
            book: book.clone(),
            both: Arc::new(Barrier::new(2)),
            released: is_released,
        };
        let connections = Arc::<AtomicUsize>::default();
        let counted = connections.clone();
        let listener = listener.tap_io(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let routes = Router::new().fallback(answer).with_state(desk);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self {
            address,
            book,
            connections,
            released,
        }
    }

    /// Answers what is held.
    pub fn release(&self) {
        self.released.send_replace(true);
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How many were opened so far, whether anything was asked or not.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.book.lock().expect("the book").clone()
    }
}

async fn answer(State(mut desk): State<Desk>, request: Request) -> Response {
    let line = format!("{} {}", request.method(), request.uri());
    let headers = request.headers().clone();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await;
    let body = String::from_utf8_lossy(&body.expect("a body")).into_owned();
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let told = repeated(&headers, &body);
    let asked = Asked {
        line,
        headers,
        body,
    };
    desk.book.lock().expect("the book").push(asked);
    match path.as_str() {
        "/together" => {
            desk.both.wait().await;
            "both".into_response()
        }
        "/held" => {
            let released = desk.released.wait_for(|released| *released).await;
            released.map_or("gone", |_| "at last").into_response()
        }
        // For whoever has less patience than this.
        "/slow" => std::future::pending().await,
        "/orders/find" => Json(json!({"state": "on its way", "debug": told})).into_response(),
        "/moved" => (
            StatusCode::FOUND,
            [("location", "http://127.0.0.1:1/private")],
        )
            .into_response(),
        path if path.starts_with("/echo") => {
            let secret = told["authorization"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let cookie = STANDARD.encode(format!("u:{secret}"));
            ([("x-you-sent", secret), ("set-cookie", cookie)], Json(told)).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn repeated(headers: &HeaderMap, body: &str) -> Value {
    let headers = headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.to_string(), Value::String(value))
    });
    let mut told: serde_json::Map<String, Value> = headers.collect();
    told.insert("body".to_owned(), Value::String(body.to_owned()));
    Value::Object(told)
}
