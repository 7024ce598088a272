//! An HTTP listener with bounds: connections at once, time to send a request. Drains when told to stop.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::Response;
use http::Request;
use http::header::{CONNECTION, EXPECT, HeaderValue};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::body::WholeBody;
use crate::api::LongBody;

/// What one listener bears.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at once; more wait to be accepted.
    pub connections: usize,
    /// For the head of a request, and then for all of its body, or for each part of a long one.
    pub read_timeout: Duration,
}

pub(super) async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| anyhow::anyhow!("cannot listen on {address}: {error}"))
}

/// Serves until stopped, then lets requests that have begun come to their answer.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (routes, stop) = (routes.clone(), stop.clone());
                connections.spawn(async move {
                    converse(stream, peer, routes, limits, stop).await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of file descriptors, usually: some will be free in a moment.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    // Small answers must not wait for an acknowledgement; when it cannot be set they do.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(request, peer, routes.clone(), limits));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.read_timeout)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}

async fn answer(
    mut request: Request<Incoming>,
    peer: SocketAddr,
    mut routes: Router,
    limits: Limits,
) -> Result<Response, Infallible> {
    request.extensions_mut().insert(ConnectInfo(peer));
    let awaits_continue = request.headers().contains_key(EXPECT);
    let long = LongBody::default();
    request.extensions_mut().insert(long.clone());
    let (head, body) = request.into_parts();
    let (body, unread) = WholeBody::within(limits.read_timeout, long, body);
    let request = Request::from_parts(head, axum::body::Body::new(body));
    let mut response = routes.call(request).await?;
    if !unread.thrown_away(awaits_continue).await {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use http::StatusCode;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};

    use super::*;

    const REFUSED: &str = "HTTP/1.1 401 Unauthorized";
    const NEXT: &[u8] = b"GET /next HTTP/1.1\r\nhost: x\r\n\r\n";

    /// A client of a listener that refuses by the head of a request.
    async fn client(stop: &CancellationToken) -> TcpStream {
        let listener = bind(([127, 0, 0, 1], 0).into()).await.expect("a listener");
        let address = listener.local_addr().expect("an address");
        let routes = Router::new()
            .route("/refused", post(async || StatusCode::UNAUTHORIZED))
            .route("/next", get(async || "next"));
        let limits = Limits {
            connections: 10,
            read_timeout: Duration::from_secs(600),
        };
        tokio::spawn(serve(listener, routes, limits, stop.clone()));
        TcpStream::connect(address).await.expect("a connection")
    }

    /// The head of an answer without a body, or the answer of `/next`.
    async fn answered(stream: &mut BufReader<TcpStream>, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            text.push(stream.read_u8().await.expect("an answer"));
        }
        String::from_utf8(text).expect("text")
    }

    async fn refused_then_next(body: &[&[u8]], head: &str) {
        let stop = CancellationToken::new();
        let mut stream = client(&stop).await;
        let head = format!("POST /refused HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("a head");
        for part in body {
            stream.write_all(part).await.expect("all of the body");
        }
        let mut stream = BufReader::new(stream);
        let refused = answered(&mut stream, "\r\n\r\n").await;
        assert!(refused.starts_with(REFUSED), "{refused}");
        assert!(!refused.contains("connection: close"), "{refused}");
        stream.write_all(NEXT).await.expect("the next request");
        let next = answered(&mut stream, "next").await;
        assert!(next.starts_with("HTTP/1.1 200 OK"), "{next}");
        stop.cancel();
    }

    #[tokio::test]
    async fn a_refused_body_is_thrown_away_and_the_connection_goes_on() {
        // More than both ends' buffers hold.
        let large = vec![b'x'; 8 << 20];
        refused_then_next(&[&large], &format!("content-length: {}", large.len())).await;
        let length = format!("{:x}\r\n", large.len());
        let chunks = [length.as_bytes(), &large, b"\r\n0\r\n\r\n"];
        refused_then_next(&chunks, "transfer-encoding: chunked").await;
    }

    #[tokio::test]
    async fn who_waits_to_be_asked_for_a_body_is_refused_without_it() {
        let stop = CancellationToken::new();
        let mut stream = client(&stop).await;
        let head = "POST /refused HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("a head");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with(REFUSED), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        stop.cancel();
    }
}
