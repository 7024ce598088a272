//! A Graph that says what the test tells it to, and remembers every POST.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use vestibule::delivery::Monotonic;
use vestibule::domain::OutboxId;

/// What Graph does with one POST.
#[derive(Debug, Clone)]
pub enum Reply {
    Accept,
    /// A Graph error with this code.
    Error(i64),
    /// An answer that says nothing: the send may have happened.
    Nonsense,
    /// No answer at all.
    Silence,
}

/// One POST that arrived.
#[derive(Debug, Clone)]
pub struct Posted {
    /// Absent for mark-as-read.
    pub outbox: Option<OutboxId>,
    pub text: String,
    /// `to` or `recipient`, as it stood there.
    pub recipient: String,
    /// Does it show the person somebody typing?
    pub typing: bool,
    /// By the clock that the node's own time limit goes by.
    pub at: Duration,
}

#[derive(Default)]
struct Script {
    next: VecDeque<Reply>,
    posted: Vec<Posted>,
    under_way: HashMap<String, usize>,
    /// Two POSTs to one person at the same time.
    crossed: bool,
}

#[derive(Clone)]
pub struct FakeGraph {
    pub url: String,
    script: Arc<Mutex<Script>>,
}

#[derive(Clone)]
struct Served {
    script: Arc<Mutex<Script>>,
    clock: Arc<dyn Monotonic>,
}

impl FakeGraph {
    pub async fn start(clock: Arc<dyn Monotonic>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let script = Arc::<Mutex<Script>>::default();
        let routes = Router::new()
            .route("/{version}/{number}/messages", post(messages))
            .with_state(Served {
                script: script.clone(),
                clock,
            });
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, script }
    }

    /// The next POSTs are answered so, in this order; after them everything is accepted.
    pub fn answers(&self, replies: impl IntoIterator<Item = Reply>) {
        self.script.lock().expect("a script").next.extend(replies);
    }

    pub fn posted(&self) -> Vec<Posted> {
        self.script.lock().expect("a script").posted.clone()
    }

    pub fn texts(&self) -> Vec<String> {
        self.posted()
            .into_iter()
            .map(|posted| posted.text)
            .collect()
    }

    pub fn recipients(&self) -> Vec<String> {
        let posted = self.posted().into_iter();
        posted.map(|posted| posted.recipient).collect()
    }

    pub fn crossed(&self) -> bool {
        self.script.lock().expect("a script").crossed
    }
}

async fn messages(State(served): State<Served>, Json(body): Json<Value>) -> Response {
    let at = served.clock.now();
    let script = &served.script;
    let to = body["to"].as_str().unwrap_or_default().to_owned();
    let reply = arrived(script, &body, &to, at);
    tokio::task::yield_now().await;
    *script
        .lock()
        .expect("a script")
        .under_way
        .entry(to)
        .or_default() -= 1;
    match reply {
        Reply::Accept => {
            let id = body["biz_opaque_callback_data"].as_str().unwrap_or("read");
            Json(json!({"messaging_product": "whatsapp", "contacts": [], "messages": [{"id": format!("wamid.{id}")}]}))
                .into_response()
        }
        Reply::Error(code) => {
            let error = json!({"error": {"message": "scripted", "code": code}});
            (StatusCode::BAD_REQUEST, Json(error)).into_response()
        }
        Reply::Nonsense => (StatusCode::BAD_GATEWAY, "what?").into_response(),
        Reply::Silence => std::future::pending().await,
    }
}

fn arrived(script: &Mutex<Script>, body: &Value, to: &str, at: Duration) -> Reply {
    let mut script = script.lock().expect("a script");
    script.posted.push(Posted {
        outbox: body["biz_opaque_callback_data"]
            .as_str()
            .and_then(|id| id.parse().ok()),
        typing: !body["typing_indicator"].is_null(),
        recipient: body["to"]
            .as_str()
            .or(body["recipient"].as_str())
            .unwrap_or_default()
            .to_owned(),
        text: body["text"]["body"].as_str().unwrap_or_default().to_owned(),
        at,
    });
    let under_way = script.under_way.entry(to.to_owned()).or_default();
    *under_way += 1;
    let crossed = *under_way > 1;
    script.crossed |= crossed;
    script.next.pop_front().unwrap_or(Reply::Accept)
}
