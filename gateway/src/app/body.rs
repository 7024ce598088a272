//! A request body that must have arrived whole by a moment, however many frames it comes in, and what becomes of one that
//! nobody reads.
//!
//! A bound on the pause between two frames is none: a client that sends a byte now and then holds its connection for
//! ever. What may be long ([`LongBody`]) has its time for every [`PART`] instead, and an end of its own where it holds what
//! others wait for.
//!
//! A request that is refused by its head leaves its body on the connection: closed with that unread, the client may lose
//! the answer, and the next request that it sends on it. So the rest is read and thrown away first.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

use crate::api::LongBody;

/// What is thrown away of one request: more than the largest body that is taken whole. Of a longer one the rest is cut off.
const THROWN_AWAY: usize = 128 << 20;

/// So much of a long body has to come within the time that others have for all of it: 4 KiB a second, as it is delivered.
const PART: usize = 64 << 10;

/// The body did not arrive in time.
#[derive(Debug, thiserror::Error)]
#[error("the request's body did not arrive in time")]
pub(super) struct TooSlow;

/// A body with its time limit, which runs from the end of the head. What is not read of it goes to its [`Unread`].
pub(super) struct WholeBody<B: Body> {
    /// Until it is dropped.
    body: Option<Timed<B>>,
    unread: Option<oneshot::Sender<Timed<B>>>,
}

/// Where a body goes that nobody read to its end.
pub(super) struct Unread<B>(oneshot::Receiver<Timed<B>>);

struct Timed<B> {
    body: B,
    began: Instant,
    time: Duration,
    end: Pin<Box<Sleep>>,
    long: LongBody,
    /// Of the part of a long body that is on its way; a whole part begins a new time when the next is waited for.
    came: usize,
    /// When a frame of a long body was handed on: until the next is waited for, time is its reader's.
    read_at: Option<Instant>,
    /// Who waits for `100 Continue` got it.
    asked: bool,
    over: bool,
}

impl<B: Body> WholeBody<B> {
    pub(super) fn within(time: Duration, long: LongBody, body: B) -> (Self, Unread<B>) {
        let body = Timed {
            body,
            began: now(),
            time,
            end: Box::pin(tokio::time::sleep(time)),
            long,
            came: 0,
            read_at: None,
            asked: false,
            over: false,
        };
        let (unread, left) = oneshot::channel();
        let whole = Self {
            body: Some(body),
            unread: Some(unread),
        };
        (whole, Unread(left))
    }
}

impl<B: Body> Drop for WholeBody<B> {
    fn drop(&mut self) {
        if let (Some(body), Some(unread)) = (self.body.take(), self.unread.take())
            && !body.over
            && !body.body.is_end_stream()
        {
            // The connection may be gone.
            let _ = unread.send(body);
        }
    }
}

impl<B> Unread<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    /// Reads what is left. `false`: there is more, and the connection is good for nothing else.
    pub(super) async fn thrown_away(mut self, awaits_continue: bool) -> bool {
        let Ok(mut body) = self.0.try_recv() else {
            return true;
        };
        if awaits_continue && !body.asked {
            return false;
        }
        // What nobody reads any more is no long body: its sender waits for the answer.
        body.long = LongBody::default();
        body.end.as_mut().reset(now() + body.time);
        let mut read = 0;
        while let Some(frame) = poll_fn(|cx| body.poll(cx)).await {
            read += match frame {
                Ok(frame) => frame.data_ref().map_or(0, Bytes::len),
                Err(_) => return false,
            };
            if read > THROWN_AWAY {
                return false;
            }
        }
        true
    }
}

impl<B> Timed<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        self.asked = true;
        if self.long.is_allowed() {
            return self.poll_long(cx);
        }
        if self.end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(TooSlow.into())));
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx).map_err(Into::into);
        self.over |= matches!(polled, Poll::Ready(None));
        polled
    }

    /// Its time runs while it is waited for only: whoever reads it may rest between its parts.
    fn poll_long(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx).map_err(Into::into);
        match &polled {
            Poll::Pending => {
                let readers = self.read_at.take().map(|at| now() - at);
                if self.came >= PART {
                    self.came = 0;
                    self.ends(now() + self.time);
                } else if let Some(readers) = readers {
                    self.ends(self.end.deadline() + readers);
                }
                let is_over = self.end.deadline() <= now();
                if is_over || self.end.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Some(Err(TooSlow.into())));
                }
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.came += frame.data_ref().map_or(0, Bytes::len);
                self.read_at = Some(now());
            }
            Poll::Ready(Some(Err(_))) => {}
            Poll::Ready(None) => self.over = true,
        }
        polled
    }

    /// Then, or with its last moment if that comes before.
    fn ends(&mut self, at: Instant) {
        let last = self.long.most().map(|most| self.began + most);
        let at = last.map_or(at, |last| at.min(last));
        self.end.as_mut().reset(at);
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a deadline for the client, which decides nothing that is stored"
)]
fn now() -> Instant {
    Instant::now()
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
        match &mut self.get_mut().body {
            Some(body) => body.poll(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body
            .as_ref()
            .is_none_or(|body| body.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) => body.body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::{BodyExt, Full};

    use super::*;

    /// Sends so many bytes whenever it is asked for the second time, so often.
    struct Dripping {
        bytes: usize,
        frames: usize,
        asked: bool,
    }

    fn dripping(bytes: usize, frames: usize) -> Dripping {
        Dripping {
            bytes,
            frames,
            asked: false,
        }
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
            if self.frames == 0 {
                return Poll::Ready(None);
            }
            self.frames -= 1;
            Poll::Ready(Some(Ok(Frame::data(vec![b'x'; self.bytes].into()))))
        }
    }

    const LONG: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn a_body_that_drips_for_ever_is_cut_off() {
        for long in [LongBody::default(), LongBody::allowed(None)] {
            let body = dripping(1, usize::MAX);
            let (body, _) = WholeBody::within(Duration::from_millis(1), long, body);
            let cut = body.collect().await.expect_err("it never ends");
            assert!(cut.is::<TooSlow>(), "{cut}");
        }
    }

    /// As if its reader had rested for so long since the last frame.
    fn rest(body: &mut WholeBody<Dripping>, time: Duration) {
        let timed = body.body.as_mut().expect("not dropped");
        let end = timed.end.deadline() - time;
        timed.end.as_mut().reset(end);
        timed.began -= time;
        timed.read_at = timed.read_at.map(|at| at - time);
    }

    #[tokio::test]
    async fn a_long_body_has_its_time_for_every_part_and_while_it_is_waited_for() {
        const REST: Duration = Duration::from_secs(3_599);
        for bytes in [PART, 1] {
            let body = dripping(bytes, 3);
            let (mut body, _) = WholeBody::within(LONG, LongBody::allowed(None), body);
            for _ in 0..3 {
                let frame = body.frame().await.expect("a frame");
                let frame = frame.expect("in time");
                assert_eq!(frame.data_ref().map(Bytes::len), Some(bytes));
                rest(&mut body, REST);
            }
            assert!(body.frame().await.is_none());
        }
    }

    #[tokio::test]
    async fn a_long_body_that_holds_what_others_wait_for_has_an_end_however_it_goes_on() {
        // Every part is in time. What its reader takes counts too: the room is held meanwhile.
        for bytes in [PART, 1] {
            let long = LongBody::allowed(Some(3 * LONG));
            let (mut body, _) = WholeBody::within(LONG, long, dripping(bytes, usize::MAX));
            for _ in 0..3 {
                let frame = body.frame().await.expect("a frame");
                frame.expect("in time");
                rest(&mut body, LONG);
            }
            let cut = body.frame().await.expect("a frame").expect_err("its end");
            assert!(cut.is::<TooSlow>(), "{cut}");
        }
    }

    #[tokio::test]
    async fn what_is_left_of_a_refused_long_body_has_the_time_of_any_other() {
        let body = dripping(PART, usize::MAX);
        let long = LongBody::allowed(None);
        let (body, unread) = WholeBody::within(Duration::from_millis(1), long, body);
        drop(body);
        assert!(!unread.thrown_away(false).await);
    }

    #[tokio::test]
    async fn a_body_that_is_whole_in_time_is_read() {
        let (body, unread) = WholeBody::within(LONG, LongBody::default(), Full::from("all of it"));
        let read = body.collect().await.expect("it is read");
        assert_eq!(read.to_bytes(), "all of it");
        assert!(unread.thrown_away(false).await);
    }
}
