//! `Idempotency-Key`: a POST that is sent again with the same key gets the answer of the first and changes nothing.
//!
//! Kept for a day for each API key. The answer is sealed, because it may show a secret that is shown once. A process that
//! ended in the middle of a request leaves it open whether something changed: the same key then gets a 409 that says so,
//! and never runs a second time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::guard::Caller;
use super::input::unread;
use super::problem::Problem;
use super::{Answer, Api, State};
use crate::secrets::Place;
use crate::storage::idempotency::{self, Remembered};

/// How long an answer is kept.
pub const KEPT: Duration = Duration::from_secs(86_400);
/// A request that took longer than this has lost its process. Compiling an upload may take two minutes.
const UNDER_WAY_MOST: Duration = Duration::from_secs(300);
const NAME: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const KEY_BYTES: usize = 128;
/// Headers that are part of an answer.
const HEADERS: [HeaderName; 3] = [CONTENT_TYPE, ETAG, LOCATION];

#[derive(Serialize, Deserialize)]
struct Kept {
    headers: BTreeMap<String, String>,
    body: String,
}

/// One request's claim.
struct Claim {
    caller: Caller,
    item: String,
}

pub(super) async fn remember(
    axum::extract::State(api): State,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(NAME) {
        return next.run(request).await;
    }
    match begin(&api, request).await {
        Ok(Begun::First(claim, request)) => {
            let response = next.run(request).await;
            keep(&api, &claim, response).await
        }
        Ok(Begun::Again(response)) => response,
        Err(problem) => problem.into_response(),
    }
}

enum Begun {
    First(Claim, Request),
    Again(Response),
}

async fn begin(api: &Arc<Api>, request: Request) -> Answer<Begun> {
    let (parts, body) = request.into_parts();
    let item = parts
        .headers
        .get(NAME)
        .and_then(|value| value.to_str().ok());
    let item = item
        .map(str::trim)
        .filter(|item| !item.is_empty() && item.len() <= KEY_BYTES);
    let item = item
        .ok_or_else(|| Problem::bad_parameter("Idempotency-Key", "must have 1 to 128 characters"))?
        .to_owned();
    let caller = Caller::of(&parts)?.clone();
    // The limit of the body is a layer's extension of the request.
    let mut whole = Request::new(body);
    *whole.extensions_mut() = parts.extensions.clone();
    let body = Bytes::from_request(whole, api)
        .await
        .map_err(|error| unread(&error))?;
    let asked = digest(&parts.uri.to_string(), &body);
    let now = api.setup.clock.now();
    let mut tx = api.setup.db.begin().await?;
    let principal = &caller.principal;
    let known = idempotency::claim(
        &mut tx,
        principal.realm,
        principal.key,
        &item,
        &asked,
        now,
        now.minus(KEPT),
    )
    .await?;
    tx.commit().await?;
    let claim = Claim { caller, item };
    match known {
        None => Ok(Begun::First(
            claim,
            Request::from_parts(parts, Body::from(body)),
        )),
        Some(known) => again(api, &claim, &asked, known).map(Begun::Again),
    }
}

fn digest(uri: &str, body: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update((uri.len() as u64).to_be_bytes());
    hash.update(uri);
    hash.update(body);
    hash.finalize().to_vec()
}

fn again(api: &Api, claim: &Claim, asked: &[u8], known: Remembered) -> Answer<Response> {
    if known.request != asked {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this Idempotency-Key was used for another request",
        ));
    }
    let Some((status, sealed)) = known.answer else {
        return Err(unfinished(api.setup.clock.now().since(known.began_at)));
    };
    let opened = api.setup.keyring.open(claim.place(), &sealed);
    let opened = opened.map_err(|error| Problem::failed(&error))?;
    let kept: Kept =
        serde_json::from_str(opened.expose_secret()).map_err(|error| Problem::failed(&error))?;
    let mut response = kept.body.into_response();
    *response.status_mut() =
        StatusCode::from_u16(status).map_err(|error| Problem::failed(&error))?;
    let headers = response.headers_mut();
    headers.remove(CONTENT_TYPE);
    for (name, value) in &kept.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn unfinished(age: Duration) -> Problem {
    if age <= UNDER_WAY_MOST {
        let detail = "the first request with this Idempotency-Key is still under way";
        return Problem::new(StatusCode::CONFLICT, "idempotency_under_way", detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    Problem::new(
        StatusCode::CONFLICT,
        "idempotency_outcome_unknown",
        "the first request with this Idempotency-Key never ended: look whether it changed something, then use a new key",
    )
}

/// A gateway's failure is not kept: whether something changed is as unknown as after a crash.
async fn keep(api: &Api, claim: &Claim, response: Response) -> Response {
    if response.status().is_server_error() {
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
    else {
        return Response::from_parts(parts, Body::empty());
    };
    let header = |name: &HeaderName| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.to_string(), value.to_owned()))
    };
    let kept = Kept {
        headers: HEADERS.iter().filter_map(header).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    if let Err(problem) = store(api, claim, parts.status, &kept).await {
        // The change is done and its answer is known: to fail now would tell the client less.
        tracing::warn!(?problem, "the answer to an Idempotency-Key was not kept");
    }
    Response::from_parts(parts, Body::from(body))
}

async fn store(api: &Api, claim: &Claim, status: StatusCode, kept: &Kept) -> Answer<()> {
    let text = serde_json::to_string(kept).map_err(|error| Problem::failed(&error))?;
    let sealed = api
        .setup
        .keyring
        .seal(claim.place(), &SecretString::from(text));
    let sealed = sealed.map_err(|error| Problem::failed(&error))?;
    let principal = &claim.caller.principal;
    let mut tx = api.setup.db.begin().await?;
    idempotency::answer(
        &mut tx,
        principal.realm,
        principal.key,
        &claim.item,
        status.as_u16(),
        &sealed,
    )
    .await?;
    Ok(tx.commit().await?)
}

impl Claim {
    /// The row has no number of its own: a hash of its key stands for it.
    fn place(&self) -> Place {
        let principal = &self.caller.principal;
        let hash = digest(&principal.key.to_string(), self.item.as_bytes());
        let row = hash.first_chunk().copied().unwrap_or_default();
        Place {
            table: "idempotency",
            column: "response",
            tenant: principal.realm.raw(),
            row: i64::from_be_bytes(row),
        }
    }
}
