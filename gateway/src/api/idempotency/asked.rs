//! What a request asks for: a digest of its address, of what its body is and who signed it, and of its body, under which the
//! same request is known again.
//!
//! An ordinary body is read before its handler runs. A large one ([`LargeBody`]) is hashed as its handler reads it: whoever
//! does has room for it, or keeps it as it comes, and for its key's sake it is in nobody's memory.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use http::header::{CONTENT_TYPE, EXPECT};
use http::request::Parts;
use hyper::body::{Frame, SizeHint};
use sha2::{Digest, Sha256};

use super::super::input::unread;
use super::super::plugins::SIGNATURE;
use super::super::problem::Problem;
use super::super::{Answer, LongBody};
use crate::sync::{blocking, lock};

/// More than this is not hashed on a thread that serves others: it would keep them waiting for a tenth of a millisecond.
const AT_ONCE: usize = 64 << 10;

/// A request whose handler reads its body as it comes, to its end before it changes anything.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct LargeBody {
    pub most: usize,
}

/// What one request asks for.
pub(super) enum Asked {
    Digest(Vec<u8>),
    /// Once it has passed.
    Passing(Passing),
}

impl Asked {
    /// With the request for its handler.
    pub(super) async fn of(parts: Parts, body: Body) -> Answer<(Self, Request)> {
        let has_body = !hyper::body::Body::is_end_stream(&body);
        let hash = begun(&head(&parts, has_body));
        if let Some(large) = parts.extensions.get().copied() {
            let passing = Passing::new(hash, large, body, parts.headers.contains_key(EXPECT));
            let request = Request::from_parts(parts, Body::new(passing.clone()));
            return Ok((Self::Passing(passing), request));
        }
        // The limit of the body is a layer's extension of the request.
        let mut whole = Request::new(body);
        *whole.extensions_mut() = parts.extensions.clone();
        let body = Bytes::from_request(whole, &()).await;
        let body = body.map_err(|error| unread(&error))?;
        let digest = ended(hash, body.clone()).await;
        let request = Request::from_parts(parts, Body::from(body));
        Ok((Self::Digest(digest), request))
    }

    /// Nobody will read its body: it is read here, as long as it takes.
    pub(super) async fn read(&self, request: Request) -> Answer<Vec<u8>> {
        LongBody::allow(&request);
        self.whole().await
    }

    /// Reads what its handler left, within the time that it had.
    pub(super) async fn whole(&self) -> Answer<Vec<u8>> {
        match self {
            Self::Digest(digest) => Ok(digest.clone()),
            Self::Passing(passing) => passing.to_the_end().await,
        }
    }

    /// Its sender waits to be asked for it (`100 Continue`), and was not.
    pub(super) fn is_held_back(&self) -> bool {
        match self {
            Self::Digest(_) => false,
            Self::Passing(passing) => lock(&passing.0).is_held_back(),
        }
    }

    /// Without waiting for anybody.
    pub(super) fn at_hand(&self) -> Answer<Vec<u8>> {
        match self {
            Self::Digest(digest) => Ok(digest.clone()),
            Self::Passing(passing) => lock(&passing.0).digest(),
        }
    }
}

/// SHA-256 of a name and what is said under it.
pub(super) fn digest(name: &str, said: &[u8]) -> Vec<u8> {
    begun(name.as_bytes())
        .chain_update(said)
        .finalize()
        .to_vec()
}

/// What a request says before its body: its address, what the body is, and who signed it. Of JSON that nobody signed, and of
/// no body, it is the address alone, as it was before the rest counted: answers that are kept, and nodes of such a version,
/// know it still.
fn head(parts: &Parts, has_body: bool) -> Vec<u8> {
    let mut head = parts.uri.to_string().into_bytes();
    let kind = content_type(parts);
    if has_body && kind != b"application/json" {
        // Nothing else begins so.
        head.push(b'\r');
        head.extend_from_slice(&kind);
    }
    for signature in parts.headers.get_all(SIGNATURE) {
        // Neither an address nor a header can have the end of a line in it.
        head.push(b'\n');
        head.extend_from_slice(signature.as_bytes());
    }
    head
}

/// Without its parameters: what of them bears on a body, as the boundary of a form, stands in the body too.
fn content_type(parts: &Parts) -> Vec<u8> {
    let said = parts.headers.get(CONTENT_TYPE);
    let said = said.map_or(&[][..], |value| value.as_bytes());
    let kind = said.split(|byte| *byte == b';').next().unwrap_or_default();
    kind.trim_ascii().to_ascii_lowercase()
}

fn begun(name: &[u8]) -> Sha256 {
    let length = (name.len() as u64).to_be_bytes();
    Sha256::new().chain_update(length).chain_update(name)
}

async fn ended(hash: Sha256, body: Bytes) -> Vec<u8> {
    let is_long = body.len() > AT_ONCE;
    let end = move || hash.chain_update(&body).finalize().to_vec();
    match is_long {
        true => blocking(end).await,
        false => end(),
    }
}

/// A body, and what has passed of it. Each clone is the same.
#[derive(Clone)]
pub(super) struct Passing(Arc<Mutex<Passed>>);

struct Passed {
    body: Body,
    /// A frame at a time: the listener's are no longer than its buffer.
    hash: Sha256,
    bytes: usize,
    most: usize,
    /// Until the first of it is asked for.
    awaits_continue: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Passes,
    Whole,
    /// It did not arrive whole, or was too long: nothing more is asked of it.
    Cut,
}

impl Passing {
    fn new(hash: Sha256, large: LargeBody, body: Body, awaits_continue: bool) -> Self {
        let passed = Passed {
            body,
            hash,
            bytes: 0,
            most: large.most,
            awaits_continue,
            state: State::Passes,
        };
        Self(Arc::new(Mutex::new(passed)))
    }

    async fn to_the_end(&self) -> Answer<Vec<u8>> {
        while let Some(Ok(_)) = poll_fn(|cx| lock(&self.0).poll(cx)).await {}
        lock(&self.0).digest()
    }
}

impl Passed {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.state != State::Passes {
            return Poll::Ready(None);
        }
        self.awaits_continue = false;
        let polled = Pin::new(&mut self.body);
        let polled = hyper::body::Body::poll_frame(polled, cx);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => self.state = State::Whole,
            Poll::Ready(Some(Err(_))) => self.state = State::Cut,
            Poll::Ready(Some(Ok(frame))) => {
                let data = frame.data_ref().map_or(&[][..], |data| data);
                self.hash.update(data);
                self.bytes += data.len();
                if self.bytes > self.most {
                    // Its handler gets this frame, and refuses it by its own limit.
                    self.state = State::Cut;
                }
            }
        }
        polled
    }

    fn is_held_back(&self) -> bool {
        self.awaits_continue && !hyper::body::Body::is_end_stream(&self.body)
    }

    fn digest(&self) -> Answer<Vec<u8>> {
        let ended = hyper::body::Body::is_end_stream(&self.body);
        match self.state {
            State::Whole => Ok(self.hash.clone().finalize().to_vec()),
            State::Passes if ended => Ok(self.hash.clone().finalize().to_vec()),
            _ => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "unreadable",
                "the body did not arrive whole, or too slowly",
            )),
        }
    }
}

impl hyper::body::Body for Passing {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        lock(&self.0).poll(cx)
    }

    fn is_end_stream(&self) -> bool {
        let passed = lock(&self.0);
        passed.state != State::Passes || passed.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::{FutureExt, StreamExt, stream};
    use http_body_util::BodyExt;

    use super::*;

    const LARGE: LargeBody = LargeBody { most: 1_000 };

    fn parts(uri: &str, large: Option<LargeBody>) -> Parts {
        let mut request = http::Request::builder()
            .uri(uri)
            .header(CONTENT_TYPE, "application/json")
            .body(())
            .expect("a request");
        large.map(|large| request.extensions_mut().insert(large));
        request.into_parts().0
    }

    /// In frames of 100 bytes; `None` in between: it waits for ever.
    fn frames(frames: impl IntoIterator<Item = Option<u8>>) -> Body {
        let frames: Vec<_> = frames.into_iter().collect();
        let frames = stream::iter(frames).then(async |byte| match byte {
            Some(byte) => Ok::<_, Infallible>(Bytes::from(vec![byte; 100])),
            None => std::future::pending().await,
        });
        Body::from_stream(frames.boxed())
    }

    async fn passing(body: Body) -> (Asked, Request) {
        Asked::of(parts("/v1/x?a=b", Some(LARGE)), body)
            .await
            .expect("asked")
    }

    #[tokio::test]
    async fn a_body_that_passes_is_known_by_the_digest_of_one_that_is_read_before() {
        let read = Asked::of(parts("/v1/x?a=b", None), frames([Some(1), Some(2)])).await;
        let (read, request) = read.expect("asked");
        let body = request.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes().len(), 200);
        let digest = read.at_hand().expect("read");
        let (asked, request) = passing(frames([Some(1), Some(2)])).await;
        assert!(asked.at_hand().is_err(), "nothing has passed");
        let body = request.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes().len(), 200);
        assert_eq!(asked.at_hand().expect("whole"), digest);
        let (other, _) = passing(frames([Some(1), Some(3)])).await;
        assert_ne!(other.whole().await.expect("whole"), digest);
    }

    #[tokio::test]
    async fn no_byte_of_a_large_body_is_taken_before_its_handler_asks_for_it() {
        let asked = passing(frames([None])).now_or_never();
        let (asked, request) = asked.expect("it does not wait for the body");
        assert!(asked.at_hand().is_err());
        let frame = request.into_body().frame().now_or_never();
        assert!(frame.is_none(), "whoever reads waits");
        assert!(asked.whole().now_or_never().is_none(), "as this does");
    }

    #[tokio::test]
    async fn a_body_is_held_back_until_its_sender_is_asked_for_it() {
        let held_back = async |body: Body| {
            let mut parts = parts("/v1/x", Some(LARGE));
            let expects = http::HeaderValue::from_static("100-continue");
            parts.headers.insert(EXPECT, expects);
            Asked::of(parts, body).await.expect("asked")
        };
        let (asked, request) = held_back(frames([None])).await;
        assert!(asked.is_held_back());
        let frame = request.into_body().frame().now_or_never();
        assert!(frame.is_none() && !asked.is_held_back());
        let (nothing, _) = held_back(Body::empty()).await;
        assert!(!nothing.is_held_back(), "there is nothing to be asked for");
        let (sent, _) = passing(frames([None])).await;
        assert!(!sent.is_held_back(), "its sender does not wait");
    }

    #[tokio::test]
    async fn what_a_handler_left_is_read_to_its_end_and_no_further_than_it_may_be_long() {
        let whole = passing(frames([Some(1), Some(2)])).await.0;
        let digest = whole.whole().await.expect("whole");
        let (asked, request) = passing(frames([Some(1), Some(2)])).await;
        let mut body = request.into_body();
        body.frame().await.expect("a frame").expect("read");
        drop(body);
        assert_eq!(asked.whole().await.expect("the rest"), digest);
        let (asked, _) = passing(frames((0..=10).map(Some))).await;
        assert!(asked.whole().await.is_err());
        assert!(asked.whole().await.is_err(), "a part is no whole");
    }

    #[tokio::test]
    async fn a_body_that_was_cut_is_never_whole() {
        let broken = stream::iter([Ok("half of it"), Err("gone")]);
        let (asked, request) = passing(Body::from_stream(broken)).await;
        request.into_body().collect().await.expect_err("cut");
        assert!(asked.whole().await.is_err());
        assert!(asked.at_hand().is_err());
    }

    #[tokio::test]
    async fn who_signed_a_body_is_part_of_what_is_asked_for() {
        let asked = async |signatures: &[&'static str], large| {
            let mut parts = parts("/v1/x?a=b", large);
            for signature in signatures {
                let signature = http::HeaderValue::from_static(signature);
                parts.headers.append(SIGNATURE, signature);
            }
            let (asked, _) = Asked::of(parts, Body::from("it")).await.expect("asked");
            asked.whole().await.expect("whole")
        };
        for large in [None, Some(LARGE)] {
            let unsigned = asked(&[], large).await;
            assert_eq!(unsigned, digest("/v1/x?a=b", b"it"), "as ever");
            let signed = asked(&["a:AAAA"], large).await;
            assert_eq!(signed, asked(&["a:AAAA"], large).await);
            let others = [asked(&["b:AAAA"], large), asked(&["a:AAAA", ""], large)];
            for other in futures::future::join_all(others).await {
                assert_ne!(signed, other);
            }
            assert_ne!(signed, unsigned);
        }
    }

    #[tokio::test]
    async fn what_a_body_is_is_part_of_what_is_asked_for() {
        let asked = async |kind: &'static str, body: &'static str, large| {
            let mut parts = parts("/v1/x", large);
            parts.headers.remove(CONTENT_TYPE);
            if !kind.is_empty() {
                let kind = http::HeaderValue::from_static(kind);
                parts.headers.insert(CONTENT_TYPE, kind);
            }
            let (asked, _) = Asked::of(parts, Body::from(body)).await.expect("asked");
            asked.whole().await.expect("whole")
        };
        for large in [None, Some(LARGE)] {
            let json = asked("application/json", "{}", large).await;
            assert_eq!(json, digest("/v1/x", b"{}"), "as ever");
            let utf8 = asked("Application/JSON ; charset=utf-8", "{}", large).await;
            assert_eq!(utf8, json);
            let (csv, none) = (asked("text/csv", "{}", large), asked("", "{}", large));
            let (csv, none) = tokio::join!(csv, none);
            assert!(csv != json && none != json && csv != none);
            assert_eq!(asked("text/csv; header=present", "{}", large).await, csv);
            let nothing = asked("", "", large).await;
            assert_eq!(nothing, digest("/v1/x", b""), "as ever");
            assert_eq!(asked("text/csv", "", large).await, nothing);
        }
    }

    #[tokio::test]
    async fn a_long_body_is_hashed_like_a_short_one() {
        let body = Bytes::from(vec![7; AT_ONCE + 1]);
        let known = digest("/v1/x", &body);
        assert_eq!(ended(begun(b"/v1/x"), body).await, known);
    }
}
