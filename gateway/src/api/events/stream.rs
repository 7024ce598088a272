//! `GET /events/stream`

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, Stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use tokio::sync::OwnedSemaphorePermit;

use super::super::place::{InTenant, TenantParam};
use super::super::problem::Problem;
use super::super::{Answer, Api, State};
use super::{Wanted, gone, number};
use crate::domain::{StreamKind, TenantId};
use crate::events::{self, Page, Sealed, Shown};
use crate::storage;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Events read at once.
const PAGE: usize = 100;

/// Follow events as they happen
///
/// Server-sent events: `id` is the number, `event` the type, `data` the event as JSON. A browser's `EventSource` that was
/// cut sends `Last-Event-ID` by itself and gets what it missed; without it, and without `after`, the stream begins now.
#[utoipa::path(
    get, path = "/events/stream", operation_id = "events.stream", tag = "events",
    params(
        TenantParam,
        ("Last-Event-ID" = Option<i64>, Header, description = "The last number that you have"),
        ("after" = Option<i64>, Query, description = "The same, for clients that cannot set a header"),
        ("types" = Option<String>, Query, description = "Only these types, with commas between"),
    ),
    responses(
        (status = 200, description = "The stream", content_type = "text/event-stream", body = String),
        (status = 503, description = "As many streams are open as the node bears", body = ref("#/components/schemas/Problem")),
        (status = 410, description = "What comes next is past retention", body = ref("#/components/schemas/Problem")),
    ),
)]
pub(super) async fn stream(
    axum::extract::State(api): State,
    InTenant(tenant): InTenant,
    headers: HeaderMap,
    wanted: Result<Query<Wanted>, axum::extract::rejection::QueryRejection>,
) -> Answer<Response> {
    let unread = |_| Problem::bad_parameter("the query", "cannot be read");
    let Query(wanted) = wanted.map_err(unread)?;
    let last = headers
        .get(LAST_EVENT_ID)
        .and_then(|value| value.to_str().ok());
    let after = number("Last-Event-ID", last)?.or(wanted.after()?);
    let room = api.streams.room.clone().try_acquire_owned();
    let room = room.map_err(|_| {
        let detail = "this node has as many open streams as it bears (api.event_streams): try another, or again later";
        let wait = HeaderValue::from_static("10");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "full", detail).with_header(RETRY_AFTER, wait)
    })?;
    // Before the first look, so that what is sealed during it wakes us.
    let sealed = api.streams.sealed.clone();
    let mut tx = api.setup.db.read().await?;
    let reach = storage::stream::reach(&mut tx, tenant).await?;
    drop(tx);
    let after = after.unwrap_or(reach.last);
    if after < reach.last && after + 1 < reach.first {
        return Err(gone(reach.first));
    }
    let follower = Follower {
        kinds: wanted.kinds()?,
        api,
        tenant,
        after,
        sealed,
        begun: false,
        _room: room,
    };
    let mut response = Body::from_stream(follower.follow()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx gathers answers unless it is told not to.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// One open stream.
struct Follower {
    api: Arc<Api>,
    tenant: TenantId,
    kinds: Vec<StreamKind>,
    after: i64,
    sealed: Sealed,
    begun: bool,
    _room: OwnedSemaphorePermit,
}

impl Follower {
    fn follow(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut follower| async move {
            let text = follower.next().await?;
            Some((Ok(Bytes::from(text)), follower))
        })
    }

    /// The next piece of text; `None` ends the stream, and the client comes again with what it has.
    async fn next(&mut self) -> Option<String> {
        if !self.begun {
            self.begun = true;
            // Something at once, so that the client sees that it is connected.
            return Some(": following\n\n".to_owned());
        }
        loop {
            // Marked as seen before the look: what comes during it is news again.
            self.sealed.borrow_and_update();
            let snapshot = self.api.desk.directory.snapshot();
            let db = &self.api.setup.db;
            let page =
                events::page(db, &snapshot, self.tenant, self.after, &self.kinds, PAGE).await;
            match page {
                Ok(Page::Events { events, position }) => {
                    let moved = position > self.after;
                    self.after = position;
                    if !events.is_empty() {
                        return Some(events.iter().map(text).collect());
                    }
                    if moved {
                        continue;
                    }
                }
                // It was slower than retention.
                Ok(Page::Gone { .. }) => return None,
                Err(error) => {
                    tracing::warn!(error = ?error, "a stream of events ends: they could not be read");
                    return None;
                }
            }
            tokio::select! {
                () = self.api.streams.stop.cancelled() => return None,
                changed = self.sealed.changed() => changed.ok()?,
                () = tokio::time::sleep(self.api.streams.heartbeat) => return Some(": still here\n\n".to_owned()),
            }
        }
    }
}

/// One event in the words of the standard. JSON has no line breaks of its own.
fn text(event: &Shown) -> String {
    let data = serde_json::to_string(event).unwrap_or_default();
    format!(
        "id: {}\nevent: {}\ndata: {data}\n\n",
        event.seq,
        event.kind.word()
    )
}
