//! `/simulator/*`: everything that the Rust handle can do, over HTTP. No authentication: it is a sandbox, and listens
//! where its operator lets it.

mod accounts;
mod chats;
mod setup;
mod webhooks;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::query;
use super::webhook::PostError;
use super::world::{Unknown, World};

/// Why a control request was refused.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Unknown(#[from] Unknown),
    #[error("the body is not what this path takes: {0}")]
    Body(#[from] serde_json::Error),
    #[error("{name} is not a number")]
    Query { name: &'static str },
    #[error("kind must be image, video, audio, document or sticker")]
    Kind,
    #[error("the file is empty")]
    Empty,
    #[error(transparent)]
    Webhook(#[from] PostError),
    #[error("no such path or method under /simulator")]
    Path,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unknown(_) | Self::Path => StatusCode::NOT_FOUND,
            Self::Body(_) | Self::Query { .. } | Self::Kind | Self::Empty => {
                StatusCode::BAD_REQUEST
            }
            Self::Webhook(_) => StatusCode::BAD_GATEWAY,
        }
    }
}

type Answer = Result<Value, Refusal>;

/// A control request; `path` is what follows `/simulator`.
pub(super) struct Request<'a> {
    pub method: &'a Method,
    pub path: &'a [&'a str],
    pub query: &'a str,
    pub content_type: &'a str,
    pub body: Bytes,
}

/// A control request, taken apart.
struct Call<'a> {
    world: &'a Arc<World>,
    query: HashMap<String, String>,
    content_type: &'a str,
    body: Bytes,
}

impl Call<'_> {
    fn body<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// An empty body means the default.
    fn body_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Refusal> {
        if self.body.is_empty() {
            return Ok(T::default());
        }
        self.body()
    }

    fn word(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    fn number(&self, name: &'static str) -> Result<Option<u64>, Refusal> {
        let given = self.word(name).map(str::parse);
        given.transpose().map_err(|_| Refusal::Query { name })
    }
}

/// Answers one request.
pub(super) async fn answer(world: &Arc<World>, request: Request<'_>) -> (StatusCode, Bytes) {
    let call = Call {
        world,
        query: query::parse(request.query),
        content_type: request.content_type,
        body: request.body,
    };
    let answer = route(&call, request.method.as_str(), request.path).await;
    let (status, value) = match answer {
        Ok(value) => (StatusCode::OK, value),
        Err(refusal) => (refusal.status(), json!({ "error": refusal.to_string() })),
    };
    (status, Bytes::from(value.to_string()))
}

async fn route(call: &Call<'_>, method: &str, path: &[&str]) -> Answer {
    match (method, path) {
        ("GET", []) => to_value(&call.world.overview()),
        ("PUT" | "GET" | "DELETE", ["templates" | "violations" | "faults" | "requests"])
        | ("POST", ["faults"]) => setup::route(call, method, path),
        ("GET" | "PUT" | "POST", ["statuses" | "numbers", ..]) if path.len() <= 2 => {
            setup::route(call, method, path)
        }
        ("GET" | "PUT" | "POST", ["wabas" | "templates" | "reviews", ..]) => {
            accounts::route(call, method, path)
        }
        ("GET" | "PUT", ["numbers", _, "state"]) => accounts::route(call, method, path),
        ("PUT" | "POST", ["webhooks", ..]) => webhooks::route(call, method, path).await,
        (_, ["numbers", number, rest @ ..]) => chats::route(call, method, number, rest).await,
        _ => Err(Refusal::Path),
    }
}

fn to_value(value: &impl Serialize) -> Answer {
    Ok(serde_json::to_value(value)?)
}

fn done() -> Answer {
    Ok(json!({ "ok": true }))
}
