//! `Idempotency-Key`: a POST that is sent again with the same key gets the answer of the first and changes nothing.
//!
//! Kept for a day for each API key. The answer is written in the transaction of the change that it tells of ([`Ending`]):
//! a gateway that dies in the middle leaves both or neither, and a repeated request finds the answer, or is the first.
//! Two nodes that work on the same key at once: the second to write undoes its change and gives the first's answer.
//! The answer is sealed, because it may show a secret that is shown once. What a request asks for is told by [`asked`].

mod asked;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use http::response::Parts;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

pub(super) use asked::LargeBody;

use asked::Asked;

use super::guard::Caller;
use super::problem::Problem;
use super::{Answer, Api, State};
use crate::domain::ApiKeyId;
use crate::secrets::Place;
use crate::storage::Ending;
use crate::storage::idempotency::{self, Remembered};
use crate::sync::lock;

/// How long an answer is kept.
pub const KEPT: Duration = Duration::from_secs(86_400);
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

/// Keys whose first request this node works on.
#[derive(Debug, Clone, Default)]
pub struct Claims(Arc<Mutex<HashSet<(ApiKeyId, String)>>>);

/// One request under its key.
struct Claim {
    caller: Caller,
    item: String,
    asked: Asked,
    claims: Claims,
}

pub(super) async fn remember(
    axum::extract::State(api): State,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(NAME) {
        return next.run(request).await;
    }
    let answered = match begin(&api, request).await {
        Ok(Begun::First(claim, request)) => {
            let ending = &claim.caller.ending;
            let response = ending.around(next.run(request)).await;
            finish(&api, &claim, response).await
        }
        Ok(Begun::Again(response)) => Ok(response),
        Err(problem) => Err(problem),
    };
    answered.unwrap_or_else(IntoResponse::into_response)
}

enum Begun {
    First(Claim, Request),
    Again(Response),
}

async fn begin(api: &Arc<Api>, request: Request) -> Answer<Begun> {
    let (mut parts, body) = request.into_parts();
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
    let mut caller = Caller::of(&parts)?.clone();
    caller.ending = Ending::with_answer();
    parts.extensions.insert(caller.clone());
    let (asked, request) = Asked::of(parts, body).await?;
    let claim = api.claims.claim(caller, item, asked)?;
    match known(api, &claim).await? {
        Some(known) => {
            let asked = claim.asked.read(request).await?;
            again(api, &claim, &asked, &known).map(Begun::Again)
        }
        None => Ok(Begun::First(claim, request)),
    }
}

impl Claims {
    fn claim(&self, caller: Caller, item: String, asked: Asked) -> Answer<Claim> {
        if !lock(&self.0).insert((caller.principal.key, item.clone())) {
            let detail = "the first request with this Idempotency-Key is still under way";
            let busy = Problem::new(StatusCode::CONFLICT, "idempotency_under_way", detail);
            return Err(busy.with_header(RETRY_AFTER, HeaderValue::from_static("1")));
        }
        Ok(Claim {
            caller,
            item,
            asked,
            claims: self.clone(),
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let key = (self.caller.principal.key, std::mem::take(&mut self.item));
        lock(&self.claims.0).remove(&key);
    }
}

async fn known(api: &Api, claim: &Claim) -> Answer<Option<Remembered>> {
    let principal = &claim.caller.principal;
    let since = api.setup.clock.now().minus(KEPT);
    let mut tx = api.setup.db.read().await?;
    let (realm, key) = (principal.realm, principal.key);
    Ok(idempotency::find(&mut tx, realm, key, &claim.item, since).await?)
}

fn again(api: &Api, claim: &Claim, asked: &[u8], known: &Remembered) -> Answer<Response> {
    if known.request != asked {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this Idempotency-Key was used for another request",
        ));
    }
    let opened = api.setup.keyring.open(claim.place(), &known.response);
    let opened = opened.map_err(|error| Problem::failed(&error))?;
    let kept: Kept =
        serde_json::from_str(opened.expose_secret()).map_err(|error| Problem::failed(&error))?;
    let mut response = kept.body.into_response();
    *response.status_mut() =
        StatusCode::from_u16(known.status).map_err(|error| Problem::failed(&error))?;
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

/// Ends the change together with its answer. When the gateway failed, neither stays: the request can be sent again.
async fn finish(api: &Api, claim: &Claim, response: Response) -> Answer<Response> {
    let mut change = claim.caller.ending.take();
    if response.status().is_server_error() {
        return Ok(response);
    }
    let asked = match &change.tx {
        // Nobody waits for a stranger with a transaction open: whoever changes something has read the body to its end.
        Some(_) => claim.asked.at_hand()?,
        // Refused by its head: nobody is asked to send a large body for that. The same again is asked anew.
        None if claim.asked.is_held_back() => return Ok(response),
        None => match claim.asked.whole().await {
            Ok(asked) => asked,
            // Nothing has changed, and what was asked is not known: the same again is asked anew.
            Err(_) => return Ok(response),
        },
    };
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| Problem::failed(&error))?;
    let body = body.to_bytes();
    let answer = sealed(api, claim, asked, &parts, &body)?;
    let mut tx = match change.tx.take() {
        Some(tx) => tx,
        None => api.setup.db.begin().await?,
    };
    let principal = &claim.caller.principal;
    let now = api.setup.clock.now();
    let first = idempotency::remember(
        &mut tx,
        principal.realm,
        principal.key,
        &claim.item,
        &answer,
        now,
        now.minus(KEPT),
    )
    .await?;
    if first {
        tx.commit().await?;
        change.done();
        return Ok(Response::from_parts(parts, Body::from(body)));
    }
    drop(tx);
    let known = known(api, claim).await?;
    again(api, claim, &answer.request, &known.ok_or_else(not_known)?)
}

/// It was there a moment ago: its day ended just now.
fn not_known() -> Problem {
    let detail = "the answer to this Idempotency-Key was just let go of: send the request again";
    Problem::new(StatusCode::CONFLICT, "idempotency_under_way", detail)
        .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
}

fn sealed(
    api: &Api,
    claim: &Claim,
    asked: Vec<u8>,
    parts: &Parts,
    body: &Bytes,
) -> Answer<Remembered> {
    let header = |name: &HeaderName| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.to_string(), value.to_owned()))
    };
    let kept = Kept {
        headers: HEADERS.iter().filter_map(header).collect(),
        body: String::from_utf8_lossy(body).into_owned(),
    };
    let text = serde_json::to_string(&kept).map_err(|error| Problem::failed(&error))?;
    let text = SecretString::from(text);
    let response = api.setup.keyring.seal(claim.place(), &text);
    Ok(Remembered {
        request: asked,
        status: parts.status.as_u16(),
        response: response.map_err(|error| Problem::failed(&error))?,
    })
}

impl Claim {
    /// The row has no number of its own: a hash of its key stands for it.
    fn place(&self) -> Place {
        let principal = &self.caller.principal;
        let hash = asked::digest(&principal.key.to_string(), self.item.as_bytes());
        let row = hash.first_chunk().copied().unwrap_or_default();
        Place {
            table: "idempotency",
            column: "response",
            tenant: principal.realm.raw(),
            row: i64::from_be_bytes(row),
        }
    }
}
