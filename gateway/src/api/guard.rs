//! The door: who asks, whether their key is good, how often they may ask, and whether they may do this. Before any
//! handler runs, and for every route there is: a route that the permission table does not know is nobody's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts, MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue, USER_AGENT, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use super::idempotency::LargeBody;
use super::problem::Problem;
use super::{Api, LongBody, State, UploadRoom, document, permissions, plugins};
use crate::access::keys::{self, Believed, Denied};
use crate::access::{Principal, Token};
use crate::audit::Actor;
use crate::domain::TenantId;
use crate::plugin_host::COMPONENT_BYTES;
use crate::storage::Ending;
use crate::telemetry::names;

/// Who asks, for handlers.
#[derive(Debug, Clone)]
pub struct Caller {
    pub principal: Principal,
    pub actor: Actor,
    /// When what they change is committed.
    pub ending: Ending,
}

impl Caller {
    /// Put there by [`admit`], or the request would not have come so far.
    pub(super) fn of(parts: &Parts) -> Result<&Self, Problem> {
        parts.extensions.get().ok_or_else(unauthenticated)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(parts).cloned()
    }
}

/// Lets a request in, or answers it.
pub(super) async fn admit(
    axum::extract::State(api): State,
    path: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    #[allow(clippy::disallowed_methods, reason = "a measurement")]
    let began = Instant::now();
    let operation = document::operation(request.method(), path.as_str());
    let response = match operation {
        Some(operation) => through(&api, operation, request, next).await,
        // The method has no operation: the router says so.
        None => next.run(request).await,
    };
    let (name, status) = (
        operation.unwrap_or("none"),
        response.status().as_str().to_owned(),
    );
    metrics::counter!(names::API_REQUESTS, "operation" => name, "status" => status).increment(1);
    metrics::histogram!(names::API_SECONDS, "operation" => name).record(began.elapsed());
    response
}

async fn through(
    api: &Arc<Api>,
    operation: &'static str,
    mut request: Request,
    next: Next,
) -> Response {
    let believed = match believe(api, request.headers()).await {
        Ok(believed) => believed,
        Err(problem) => return problem.into_response(),
    };
    let now = api.setup.clock.now();
    let left = api.rates.take(believed.principal.key, now);
    let mut response = if !left.allowed {
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "this key asks more often than it may; Retry-After says when to go on",
        )
        .into_response()
    } else if !permissions::allows(operation, &believed.principal) {
        Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            format!("this key may not do {operation}"),
        )
        .into_response()
    } else if let Err(full) = take_body(api, operation, &believed.principal, &mut request) {
        full.into_response()
    } else {
        let caller = caller(api, &believed, &request);
        request.extensions_mut().insert(caller);
        note_use(api, believed);
        next.run(request).await
    };
    left.write_headers(response.headers_mut());
    response
}

const UPLOAD: &str = "plugins.upload";
/// From an upload's head to its last byte: it holds room that others wait for. A guess: the largest plugin over half a megabit
/// a second.
const UPLOAD_MOST: Duration = Duration::from_secs(300);
/// Operations that take more than `api.max_body_bytes`, and read it as it comes: an upload; a list; a file of a message, which
/// has the limit of its kind.
const LARGE: [(&str, usize); 3] = [
    (UPLOAD, COMPONENT_BYTES),
    ("media.upload", super::media::LARGEST_FORM),
    ("consents.import", super::consents::LARGEST_IMPORT),
];

/// Before anybody reads the body, which the handler is not always the first to do (`idempotency.rs`).
fn take_body(
    api: &Api,
    operation: &str,
    who: &Principal,
    request: &mut Request,
) -> Result<(), Problem> {
    let large = LARGE.iter().find(|(name, _)| *name == operation);
    let most = large.map_or(api.max_body, |(_, most)| *most);
    DefaultBodyLimit::max(most).apply(request);
    if large.is_some() {
        request.extensions_mut().insert(LargeBody { most });
    }
    if operation == UPLOAD {
        take_upload(&api.uploads, who.realm, request)?;
    }
    Ok(())
}

/// It has its room, and with it the time that its line needs.
fn take_upload(room: &UploadRoom, realm: TenantId, request: &mut Request) -> Result<(), Problem> {
    let length = request.headers().get(CONTENT_LENGTH);
    let length: Option<u64> = length.and_then(|length| length.to_str().ok()?.parse().ok());
    // Who tells no length may send the largest.
    let bytes = match length {
        Some(bytes) if bytes > COMPONENT_BYTES as u64 => return Err(plugins::too_large()),
        Some(bytes) => usize::try_from(bytes).unwrap_or(COMPONENT_BYTES),
        None => COMPONENT_BYTES,
    };
    let place = room.take(realm, bytes)?;
    request.extensions_mut().insert(place);
    LongBody::allow_for(request, UPLOAD_MOST);
    Ok(())
}

async fn believe(api: &Api, headers: &HeaderMap) -> Result<Believed, Problem> {
    let header = headers.get(AUTHORIZATION).ok_or_else(unauthenticated)?;
    let text = header.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(unauthenticated());
    }
    let token = Token::parse(token.trim()).map_err(|_| denied(Denied::Unknown))?;
    let setup = &api.setup;
    keys::authenticate(&setup.db, &setup.keyring, setup.clock.as_ref(), &token)
        .await?
        .map_err(denied)
}

fn unauthenticated() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "send an API key, as Authorization: Bearer vst_…",
    )
    .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

fn denied(why: Denied) -> Problem {
    let (kind, detail) = match why {
        Denied::Unknown => ("key_unknown", "this is no key that is known here"),
        Denied::Expired => ("key_expired", "this key has expired"),
        Denied::Revoked => ("key_revoked", "this key was revoked"),
        Denied::UserInactive => ("user_inactive", "the person of this key is not active"),
    };
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
    Problem::new(StatusCode::UNAUTHORIZED, kind, detail).with_header(WWW_AUTHENTICATE, challenge)
}

fn caller(api: &Api, believed: &Believed, request: &Request) -> Caller {
    let agent = request.headers().get(USER_AGENT);
    let agent = agent.and_then(|value| value.to_str().ok()).unwrap_or("");
    Caller {
        actor: believed.principal.actor(address(api, request), agent),
        principal: believed.principal.clone(),
        ending: Ending::default(),
    }
}

/// Whoever is connected; behind a proxy what it appended to the header that the operator named.
fn address(api: &Api, request: &Request) -> String {
    let named = api.address_header.as_ref();
    let said = named
        .and_then(|name| request.headers().get_all(name).iter().next_back())
        .and_then(|value| value.to_str().ok())
        .and_then(|list| list.rsplit(',').next())
        .and_then(|last| last.trim().parse::<std::net::IpAddr>().ok());
    let connected = request
        .extensions()
        .get::<ConnectInfo<std::net::SocketAddr>>();
    said.or(connected.map(|info| info.0.ip()))
        .map_or_else(String::new, |address| address.to_string())
}

/// Nobody waits for this, and when it is lost the next request of the key writes it.
fn note_use(api: &Arc<Api>, believed: Believed) {
    if !believed.use_is_news {
        return;
    }
    let api = api.clone();
    tokio::spawn(async move {
        let now = api.setup.clock.now();
        if let Err(error) = keys::was_used(&api.setup.db, &believed.principal, now).await {
            tracing::debug!(%error, "the use of a key was not written down");
        }
    });
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;
    use crate::audit::OPERATOR;

    fn upload(long: &LongBody) -> Request {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(long.clone());
        request
    }

    #[test]
    fn an_upload_that_has_room_may_take_minutes_and_one_without_is_not_read() {
        let (room, tenant) = (UploadRoom::for_components(), TenantId::from_raw(7));
        let mut under_way = Vec::new();
        loop {
            let long = LongBody::default();
            let mut request = upload(&long);
            if take_upload(&room, tenant, &mut request).is_err() {
                assert!(!long.is_allowed());
                break;
            }
            assert_eq!((long.is_allowed(), long.most()), (true, Some(UPLOAD_MOST)));
            under_way.push(request);
        }
        under_way.pop();
        let again = take_upload(&room, tenant, &mut upload(&LongBody::default()));
        again.expect("answered, it gave its place back");
    }

    #[test]
    fn what_says_that_it_is_too_large_is_not_read() {
        let room = UploadRoom::for_components();
        for (length, taken) in [(COMPONENT_BYTES, true), (COMPONENT_BYTES + 1, false)] {
            let long = LongBody::default();
            let mut request = upload(&long);
            request.headers_mut().insert(CONTENT_LENGTH, length.into());
            let answer = take_upload(&room, OPERATOR, &mut request);
            assert_eq!((answer.is_ok(), long.is_allowed()), (taken, taken));
            let status = answer.err().map(|problem| problem.into_response().status());
            let too_large = (!taken).then_some(StatusCode::PAYLOAD_TOO_LARGE);
            assert_eq!(status, too_large);
        }
    }
}
