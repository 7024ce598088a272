//! The webhook endpoint: handshake, signature, limits, and a 200 only when the body is on disk.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::raw_writer::{RawWriter, WriteError};
use crate::directory::{AppEntry, Directory, Snapshot};
use crate::domain::{Bucket, Clock, IdGenerator, RawId};
use crate::graph::{Route, webhook};
use crate::storage::raw::{Lane, NewRaw, Whose};
use crate::telemetry::names;

/// What the endpoint works with.
#[derive(Debug)]
pub struct Intake {
    pub directory: Arc<Directory>,
    pub writer: RawWriter,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<IdGenerator>,
    /// Longest body taken; Meta's are at most 3 MB (`whatsapp-cloud-api.md` §1.2).
    pub max_body: usize,
}

/// `/webhooks/whatsapp` for the default app, `/webhooks/whatsapp/{Meta app id}` for each.
pub fn routes(intake: Arc<Intake>) -> Router {
    let limit = DefaultBodyLimit::max(intake.max_body);
    Router::new()
        .route(
            "/webhooks/whatsapp",
            get(handshake_default).post(receive_default),
        )
        .route(
            "/webhooks/whatsapp/{app}",
            get(handshake_of).post(receive_of),
        )
        .layer(limit)
        .with_state(intake)
}

type Params = Query<HashMap<String, String>>;

async fn handshake_default(State(intake): State<Arc<Intake>>, Query(params): Params) -> Response {
    handshake(&intake, None, &params).await
}

async fn handshake_of(
    State(intake): State<Arc<Intake>>,
    Path(app): Path<String>,
    Query(params): Params,
) -> Response {
    handshake(&intake, Some(&app), &params).await
}

/// Meta asks once when the URL is saved (§1.1): the challenge is the whole answer.
async fn handshake(
    intake: &Intake,
    app: Option<&str>,
    params: &HashMap<String, String>,
) -> Response {
    let snapshot = intake.directory.snapshot();
    let Some(app) = snapshot.app(app) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let param = |name: &str| params.get(name).map_or("", String::as_str);
    let expected = app.verify_token.expose_secret().as_bytes();
    let known = bool::from(expected.ct_eq(param("hub.verify_token").as_bytes()));
    if known && param("hub.mode") == "subscribe" {
        intake.writer.verified(app.id, intake.clock.now()).await;
        param("hub.challenge").to_owned().into_response()
    } else {
        (StatusCode::FORBIDDEN, "wrong hub.mode or hub.verify_token").into_response()
    }
}

async fn receive_default(
    State(intake): State<Arc<Intake>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    receive(&intake, None, &headers, body).await
}

async fn receive_of(
    State(intake): State<Arc<Intake>>,
    Path(app): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    receive(&intake, Some(&app), &headers, body).await
}

async fn receive(
    intake: &Intake,
    app: Option<&str>,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(error) => return unread(&error),
    };
    let snapshot = intake.directory.snapshot();
    let Some(app) = snapshot.app(app) else {
        return answer(StatusCode::NOT_FOUND, "unknown_app");
    };
    let signature = headers
        .get("x-hub-signature-256")
        .map(|value| value.to_str().unwrap_or(""));
    if let Err(error) = app.keys.verify(signature, &body) {
        tracing::debug!(%error, "a webhook was not believed");
        return answer(StatusCode::UNAUTHORIZED, "wrong_signature");
    }
    let rows = rows(intake, &snapshot, app, body);
    match intake.writer.append(rows).await {
        Ok(()) => answer(StatusCode::OK, "kept"),
        Err(WriteError::Full) => answer(StatusCode::SERVICE_UNAVAILABLE, "full"),
        Err(WriteError::Failed) => answer(StatusCode::INTERNAL_SERVER_ERROR, "failed"),
    }
}

/// The body did not come whole: it was too long, or its connection broke.
fn unread(error: &BytesRejection) -> Response {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => answer(StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        status => answer(status, "unreadable"),
    }
}

/// Counted by outcome; the body of the answer is nobody's business but a developer's.
fn answer(status: StatusCode, outcome: &'static str) -> Response {
    metrics::counter!(names::WEBHOOKS, "outcome" => outcome).increment(1);
    (status, outcome).into_response()
}

/// One row per bucket that the body touches; the first holds the bytes. Bodies that are signed but not JSON, or name
/// nobody we know, go to the app's own bucket, where they are counted.
fn rows(intake: &Intake, snapshot: &Snapshot, app: &AppEntry, body: Bytes) -> Vec<NewRaw> {
    let lanes = lanes(snapshot, app, &body);
    let now = intake.clock.now();
    let mut first = None;
    lanes
        .map(|lane| {
            let id = RawId::from_raw(intake.ids.next(now));
            let part_of = first;
            first = first.or(Some(id));
            NewRaw {
                id,
                app: app.id,
                lane,
                part_of,
                received_at: now,
                body: body.clone(),
            }
        })
        .collect()
}

/// Where the body waits.
fn lanes(snapshot: &Snapshot, app: &AppEntry, body: &[u8]) -> impl Iterator<Item = Lane> + use<> {
    let nobodys = Lane {
        bucket: app.bucket,
        whose: Whose::Nobody,
    };
    let lane = |route: &Route<'_>| match route {
        Route::Number(id) => snapshot
            .number_named(id)
            .filter(|entry| entry.number.app == app.id)
            .map_or(nobodys, |entry| Lane {
                bucket: entry.number.bucket(),
                whose: Whose::Number(entry.number.id),
            }),
        Route::Account(_) => nobodys,
    };
    let routes = webhook::route(body).unwrap_or_default();
    let mut lanes = one_of_each_bucket(routes.iter().map(lane));
    if lanes.is_empty() {
        lanes.insert(nobodys.bucket, nobodys.whose);
    }
    lanes
        .into_iter()
        .map(|(bucket, whose)| Lane { bucket, whose })
}

/// Of several lanes of one bucket, that of anybody: one row holds what belongs to all of them.
fn one_of_each_bucket(lanes: impl Iterator<Item = Lane>) -> BTreeMap<Bucket, Whose> {
    let mut all = BTreeMap::new();
    for Lane { bucket, whose } in lanes {
        let known = all.entry(bucket).or_insert(whose);
        if *known != whose {
            *known = Whose::Any;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::NumberId;

    #[test]
    fn what_is_of_several_numbers_of_a_bucket_is_anybodys() {
        let lane = |bucket, number| Lane {
            bucket: Bucket::from_raw(bucket).expect("a bucket"),
            whose: Whose::Number(NumberId::from_raw(number)),
        };
        let lanes = [
            lane(1, 11),
            lane(2, 21),
            lane(1, 12),
            lane(2, 21),
            lane(1, 11),
        ];
        let rows: Vec<_> = one_of_each_bucket(lanes.into_iter()).into_iter().collect();
        let one = |bucket, whose| (Bucket::from_raw(bucket).expect("a bucket"), whose);
        let expected = [
            one(1, Whose::Any),
            one(2, Whose::Number(NumberId::from_raw(21))),
        ];
        assert_eq!(rows, expected);
    }
}
