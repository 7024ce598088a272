//! The HTTP server: Graph's paths and `/simulator/*` on one port. Plain hyper, because a cut connection must be
//! possible: a service that fails closes the connection without an answer.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::control;
use super::send::Reply;
use super::world::World;

/// More than any send needs, as much as a webhook body may have (4 MiB).
const BODY_LIMIT: usize = 4 << 20;

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
    let service = service_fn(move |request| answer(Arc::clone(&world), request));
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
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return Ok(json(StatusCode::PAYLOAD_TOO_LARGE, Bytes::new()));
    };
    let body = body.to_bytes();
    let path = head.uri.path().trim_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    if parts.first() == Some(&"simulator") {
        let query = head.uri.query().unwrap_or_default();
        let (status, body) = control::answer(&world, &head.method, &parts[1..], query, body).await;
        return Ok(json(status, body));
    }
    match messages_path(&parts).filter(|_| head.method == Method::POST) {
        Some(number) => {
            let token = bearer(head.headers.get(header::AUTHORIZATION));
            match world.messages(number, token, body).await {
                Reply::Answer { status, body } => Ok(json(status, body)),
                Reply::Cut => Err(Cut),
            }
        }
        None => Ok(unknown_path(path)),
    }
}

/// `{version?}/{phone_number_id}/messages`
fn messages_path<'a>(parts: &[&'a str]) -> Option<&'a str> {
    match *parts {
        [number, "messages"] => Some(number),
        [version, number, "messages"] if is_version(version) => Some(number),
        _ => None,
    }
}

fn is_version(text: &str) -> bool {
    let version = text.strip_prefix('v').and_then(|rest| rest.split_once('.'));
    version.is_some_and(|(major, minor)| {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits(major) && digits(minor)
    })
}

fn bearer(header: Option<&HeaderValue>) -> Option<&str> {
    let (scheme, token) = header?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unknown_path(path: &str) -> Response<Full<Bytes>> {
    let error = super::error::GraphError::unknown_object(path);
    let body = error.body("ASimTrace0000000000000").to_string();
    json(error.status, Bytes::from(body))
}

fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=UTF-8"),
    );
    response
}
