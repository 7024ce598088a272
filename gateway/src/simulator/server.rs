//! The HTTP server: Graph's paths, the media host, the phone page and `/simulator/*` on one port. Plain hyper, because a
//! cut connection must be possible: a service that fails closes the connection without an answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::control;
use super::phone;
use super::platform;
use super::query;
use super::send::{Edge, Reply};
use super::wire::{NewExchange, Way};
use super::world::{World, monotonic};

/// More than any send needs, as much as a webhook body may have (4 MiB).
const BODY_LIMIT: usize = 4 << 20;
/// A document may have 100 MB (`whatsapp-cloud-api.md` §5.3), and its form a little around it.
const MEDIA_LIMIT: usize = 101 << 20;

/// Bytes at hand, or events as they come.
type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, Infallible>>;

/// The connection is closed without an answer, as a scripted fault wants it.
#[derive(Debug, thiserror::Error)]
#[error("the connection was cut by a scripted fault")]
struct Cut;

/// A listening server.
pub(super) struct Server {
    pub address: SocketAddr,
    listener: TcpListener,
}

impl Server {
    pub async fn bind(listen: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        Ok(Self {
            address: listener.local_addr()?,
            listener,
        })
    }

    /// Accepts until `stop`, then lets running requests finish.
    pub async fn run(self, world: Arc<World>, stop: CancellationToken) {
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&world), stop.clone()));
                }
                Err(error) => tracing::warn!(%error, "simulator could not accept a connection"),
            }
        }
        connections.close();
        connections.wait().await;
    }
}

async fn connection(stream: TcpStream, world: Arc<World>, stop: CancellationToken) {
    // Small answers must not wait for the client's delayed acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let ending = stop.clone();
    let service = service_fn(move |request| answer(Arc::clone(&world), ending.clone(), request));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "simulator connection ended");
    }
}

async fn answer(
    world: Arc<World>,
    stop: CancellationToken,
    request: Request<Incoming>,
) -> Result<Response<Body>, Cut> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().trim_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let media =
        parts.last() == Some(&"media") || parts.first().is_some_and(|id| id.starts_with("upload:"));
    let limit = if media { MEDIA_LIMIT } else { BODY_LIMIT };
    let Ok(body) = Limited::new(body, limit).collect().await else {
        return Ok(json(StatusCode::PAYLOAD_TOO_LARGE, Bytes::new()));
    };
    let body = body.to_bytes();
    match (&head.method, parts.as_slice()) {
        (&Method::GET, [""] | ["phone"]) => Ok(page()),
        (&Method::GET, ["simulator", "phone", "feed"]) => Ok(feed(world, &head, stop)),
        (&Method::GET, ["simulator", "media", id]) => Ok(stored(&world, id)),
        (&Method::GET, ["lookaside", ..]) => Ok(download(&world, &head)),
        (method, ["simulator", rest @ ..]) => {
            let request = control::Request {
                method,
                path: rest,
                query: head.uri.query().unwrap_or_default(),
                content_type: content_type(&head),
                body,
            };
            let (status, body) = control::answer(&world, request).await;
            Ok(json(status, body))
        }
        _ => graph(&world, &head, unversioned(&parts), body).await,
    }
}

/// Graph's API: `{version?}/…`, kept for the phone page's panel.
async fn graph(
    world: &Arc<World>,
    head: &Parts,
    parts: &[&str],
    body: Bytes,
) -> Result<Response<Body>, Cut> {
    let began = monotonic();
    let token = bearer(head.headers.get(header::AUTHORIZATION));
    let request = body.clone();
    let edge = Edge::of(parts).filter(|_| head.method == Method::POST);
    let reply = match edge {
        Some((number, edge)) => world.messages(number, edge, token, body).await,
        None => {
            let (status, body) = platform::answer(world, head, parts, token, body).await;
            Reply::Answer { status, body }
        }
    };
    let (status, answer) = match &reply {
        Reply::Answer { status, body } => (Some(status.as_u16()), body.clone()),
        Reply::Cut => (None, Bytes::new()),
    };
    world.wire.record(NewExchange {
        way: Way::Graph,
        method: head.method.as_str(),
        path: head.uri.path(),
        status,
        began,
        request,
        answer,
    });
    match reply {
        Reply::Answer { status, body } => Ok(json(status, body)),
        Reply::Cut => Err(Cut),
    }
}

fn unversioned<'a, 'b>(parts: &'b [&'a str]) -> &'b [&'a str] {
    match parts {
        [version, rest @ ..] if is_version(version) => rest,
        _ => parts,
    }
}

fn is_version(text: &str) -> bool {
    let version = text.strip_prefix('v').and_then(|rest| rest.split_once('.'));
    version.is_some_and(|(major, minor)| {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits(major) && digits(minor)
    })
}

/// `Bearer …`, or `OAuth …` as resumable uploads have it (§5.4).
fn bearer(header: Option<&HeaderValue>) -> Option<&str> {
    let (scheme, token) = header?.to_str().ok()?.split_once(' ')?;
    let known = ["bearer", "oauth"]
        .iter()
        .any(|one| scheme.eq_ignore_ascii_case(one));
    known.then(|| token.trim())
}

fn content_type(head: &Parts) -> &str {
    let given = head.headers.get(header::CONTENT_TYPE);
    given
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn page() -> Response<Body> {
    let mut response = bytes(
        "text/html; charset=utf-8",
        Bytes::from_static(phone::document().as_bytes()),
    );
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(phone::SECURITY),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn feed(world: Arc<World>, head: &Parts, stop: CancellationToken) -> Response<Body> {
    let query = query::parse(head.uri.query().unwrap_or_default());
    let customer = query.get("customer").cloned();
    let body = phone::feed(world, customer, stop);
    let mut response = Response::new(Either::Right(UnsyncBoxBody::new(body)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A medium for the phone page, without a token.
fn stored(world: &World, id: &str) -> Response<Body> {
    match world.media.get(id, world.clock.now()) {
        Some(medium) => bytes(&medium.mime_type, medium.bytes.clone()),
        None => json(
            StatusCode::NOT_FOUND,
            Bytes::from_static(b"{\"error\":\"no such medium\"}"),
        ),
    }
}

/// The media host: a URL that is in time, and the token of the number that the medium belongs to (§5.2).
fn download(world: &World, head: &Parts) -> Response<Body> {
    let query = query::parse(head.uri.query().unwrap_or_default());
    let part = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let Some(medium) = world.medium_by_url(part("mid"), part("ext"), part("hash")) else {
        return json(StatusCode::NOT_FOUND, Bytes::new());
    };
    let token = bearer(head.headers.get(header::AUTHORIZATION));
    if !world.may_see(token, &medium.phone_number_id) {
        return json(StatusCode::UNAUTHORIZED, Bytes::new());
    }
    bytes(&medium.mime_type, medium.bytes.clone())
}

fn bytes(content_type: &str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body)));
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_str(content_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, content_type);
    // Whatever somebody uploaded: it is shown as what it says it is, and runs nothing.
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox"),
    );
    response
}

fn json(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=UTF-8"),
    );
    response
}
