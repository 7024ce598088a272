//! A request body that must have arrived whole by a moment, however many frames it comes in.
//!
//! A bound on the pause between two frames is none: a client that sends a byte now and then holds its connection for
//! ever.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

/// The body did not arrive in time.
#[derive(Debug, thiserror::Error)]
#[error("the request's body did not arrive in time")]
pub(super) struct TooSlow;

/// A body with its time limit, which runs from the end of the head.
pub(super) struct WholeBody<B> {
    body: B,
    end: Pin<Box<Sleep>>,
}

impl<B> WholeBody<B> {
    pub(super) fn within(time: Duration, body: B) -> Self {
        let end = Box::pin(tokio::time::sleep(time));
        Self { body, end }
    }
}

impl<B> Body for WholeBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let this = self.get_mut();
        if this.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(TooSlow.into())));
        }
        Pin::new(&mut this.body).poll_frame(cx).map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::{BodyExt, Full};

    use super::*;

    /// Sends a byte whenever it is asked for the second time, for ever.
    struct Dripping {
        asked: bool,
    }

    impl Body for Dripping {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.asked = !self.asked;
            if self.asked {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    #[tokio::test]
    async fn a_body_that_drips_for_ever_is_cut_off() {
        let body = Dripping { asked: false };
        let body = WholeBody::within(Duration::from_millis(1), body);
        let cut = body.collect().await.expect_err("it never ends");
        assert!(cut.is::<TooSlow>(), "{cut}");
    }

    #[tokio::test]
    async fn a_body_that_is_whole_in_time_is_read() {
        let body = WholeBody::within(Duration::from_secs(3600), Full::from("all of it"));
        let read = body.collect().await.expect("it is read");
        assert_eq!(read.to_bytes(), "all of it");
    }
}
