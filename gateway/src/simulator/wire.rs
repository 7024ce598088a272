//! What went over the wire, newest last: calls of Graph's API and webhooks. For the phone page's panel; the exact record
//! that tests read is `requests`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::phone::Watch;
use super::webhook::{PostError, Target};
use super::world::monotonic;
use crate::domain::{Clock, Timestamp};
use crate::sync::lock;

/// What fits on a page that somebody scrolls through.
const KEPT: usize = 300;
/// A body larger than this is not shown: it is a picture, or a batch nobody reads.
const SHOWN: usize = 64 << 10;

/// One request and its answer.
#[derive(Debug)]
pub(super) struct Exchange {
    pub id: u64,
    at: Timestamp,
    way: Way,
    method: String,
    path: String,
    /// `None`: there was no answer.
    status: Option<u16>,
    took: Duration,
    request: Bytes,
    answer: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Way {
    Graph,
    Webhook,
}

/// As the page shows it.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    id: u64,
    at: Timestamp,
    way: Way,
    method: String,
    path: String,
    status: Option<u16>,
    ok: bool,
    took_us: u64,
    summary: String,
    request: String,
    answer: String,
}

/// An exchange before it is kept.
pub(super) struct NewExchange<'a> {
    pub way: Way,
    pub method: &'a str,
    pub path: &'a str,
    pub status: Option<u16>,
    pub began: Instant,
    pub request: Bytes,
    pub answer: Bytes,
}

#[derive(Debug)]
pub(super) struct WireLog {
    /// Zero under load: nothing is kept.
    limit: usize,
    clock: Arc<dyn Clock>,
    watch: Arc<Watch>,
    next: AtomicU64,
    kept: Mutex<VecDeque<Arc<Exchange>>>,
}

impl WireLog {
    pub fn keeping(limit: usize, clock: Arc<dyn Clock>, watch: Arc<Watch>) -> Self {
        Self {
            limit: limit.min(KEPT),
            clock,
            watch,
            next: AtomicU64::new(1),
            kept: Mutex::default(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Arc<Exchange>>> {
        lock(&self.kept)
    }

    pub fn record(&self, new: NewExchange<'_>) {
        if self.limit == 0 {
            return;
        }
        let short = |body: Bytes| {
            if body.len() > SHOWN {
                Bytes::new()
            } else {
                body
            }
        };
        let exchange = Arc::new(Exchange {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            at: self.clock.now(),
            way: new.way,
            method: new.method.to_owned(),
            path: new.path.to_owned(),
            status: new.status,
            took: monotonic().duration_since(new.began),
            request: short(new.request),
            answer: short(new.answer),
        });
        let mut kept = self.kept();
        kept.push_back(exchange);
        if kept.len() > self.limit {
            kept.pop_front();
        }
        drop(kept);
        self.watch.wake();
    }

    /// A POST of a webhook.
    pub fn webhook(
        &self,
        target: &Target,
        began: Instant,
        body: &Bytes,
        answer: &Result<StatusCode, PostError>,
    ) {
        self.record(NewExchange {
            way: Way::Webhook,
            method: "POST",
            path: target.path(),
            status: answer.as_ref().ok().map(StatusCode::as_u16),
            began,
            request: body.clone(),
            answer: Bytes::new(),
        });
    }

    pub fn after(&self, id: u64) -> Vec<Arc<Exchange>> {
        let kept = self.kept();
        kept.iter().filter(|one| one.id > id).cloned().collect()
    }
}

impl Exchange {
    pub fn shown(&self) -> Shown {
        let text = |body: &Bytes| std::str::from_utf8(body).unwrap_or("(not text)").to_owned();
        Shown {
            id: self.id,
            at: self.at,
            way: self.way,
            method: self.method.clone(),
            path: self.path.clone(),
            status: self.status,
            ok: self.status.is_some_and(|status| status < 400),
            took_us: u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX),
            summary: self.summary(),
            request: text(&self.request),
            answer: text(&self.answer),
        }
    }

    fn summary(&self) -> String {
        let request: Value = serde_json::from_slice(&self.request).unwrap_or_default();
        match self.way {
            Way::Webhook => webhook(&request),
            Way::Graph => {
                let answer: Value = serde_json::from_slice(&self.answer).unwrap_or_default();
                graph(&self.path, &request, &answer)
            }
        }
    }
}

/// The first change of a webhook in a few words, and how many there are beside it.
fn webhook(body: &Value) -> String {
    let changes: Vec<&Value> = array(&body["entry"])
        .flat_map(|entry| array(&entry["changes"]))
        .collect();
    let said: Vec<String> = changes.into_iter().flat_map(change).collect();
    match said.as_slice() {
        [] => "webhook".to_owned(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

fn change(change: &Value) -> Vec<String> {
    let value = &change["value"];
    let messages =
        array(&value["messages"]).map(|message| format!("message: {}", word(&message["type"])));
    let statuses =
        array(&value["statuses"]).map(|status| match status["errors"][0]["code"].as_i64() {
            Some(code) => format!("status: {} ({code})", word(&status["status"])),
            None => format!("status: {}", word(&status["status"])),
        });
    let said: Vec<String> = messages.chain(statuses).collect();
    if said.is_empty() {
        return vec![word(&change["field"]).replace('_', " ")];
    }
    said
}

fn graph(path: &str, request: &Value, answer: &Value) -> String {
    let edge = path.rsplit('/').next().unwrap_or_default();
    let what = match (&request["status"], &request["type"]) {
        (Value::String(_), _) => "mark as read".to_owned(),
        (_, Value::String(kind)) if edge.ends_with("messages") => format!("send {kind}"),
        _ => edge.replace('_', " "),
    };
    match answer["error"]["code"].as_i64() {
        Some(code) => format!("{what}: error {code}"),
        None => what,
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map_or(&[][..], Vec::as_slice).iter()
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or("?").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_exchange_is_told_in_a_few_words() {
        let value = json!({ "statuses": [{ "status": "failed", "errors": [{ "code": 131047 }] }] });
        let body = json!({ "entry": [{ "changes": [
            { "field": "messages", "value": value },
            { "field": "account_update", "value": { "event": "DISABLED_UPDATE" } },
        ] }] });
        assert_eq!(webhook(&body), "status: failed (131047) and 1 more");
        let refused = json!({ "error": { "code": 131056 } });
        let sent = json!({ "type": "text" });
        assert_eq!(
            graph("/v25.0/77/messages", &sent, &refused),
            "send text: error 131056"
        );
        assert_eq!(graph("/v25.0/77", &Value::Null, &Value::Null), "77");
    }
}
