//! The load generator: keep-alive connections, requests that are ready bytes, answers read only as far as needed.
//!
//! It speaks HTTP/1.1 by hand because it shares the cores with what it measures: every microsecond of a client library
//! would be a microsecond that the server does not get.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use vestibule::sync::lock;

use crate::bodies::Requests;

pub const CONNECTIONS: usize = 64;
/// Where webhooks come at their own pace: as many as it takes, as at Meta, and no more than it takes: whoever keeps connections
/// takes the last one used. With few, the generator waits for the server instead of the server being late, and at 12,000/s 64
/// connections allow each request 5 ms; one for each request in turn, and a window begins with a thousand of them being opened.
const CONNECTIONS_OPEN: usize = 1_024;

/// How requests follow one another.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each connection sends its next request when the last one is answered.
    Closed,
    /// This many a second, whether or not answers come. Latency counts from when a request was due.
    Open { per_second: f64 },
}

/// What a run of the generator saw.
#[derive(Debug, Default)]
pub struct Outcome {
    pub elapsed: Duration,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Connections that broke; each is opened again. What was under way on one is not known to be acknowledged.
    pub broken: u64,
    /// Microseconds of every answered request, sorted.
    pub latencies: Vec<u32>,
    /// When each answered request was due, by its place among the requests.
    pub due: Vec<(usize, Instant)>,
}

impl Outcome {
    pub fn acknowledged(&self) -> u64 {
        self.statuses.get(&200).copied().unwrap_or(0)
    }

    pub fn refused(&self) -> u64 {
        self.statuses
            .iter()
            .filter(|(status, _)| **status != 200)
            .map(|(_, count)| count)
            .sum()
    }

    pub fn per_second(&self) -> f64 {
        self.acknowledged() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency below which `share` of the answers lie.
    pub fn quantile(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let index = (last as f64 * share).round() as usize;
        Duration::from_micros(self.latencies.get(index).copied().unwrap_or(0).into())
    }

    fn add(&mut self, other: Self) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.broken += other.broken;
        self.latencies.extend(other.latencies);
        self.due.extend(other.due);
    }
}

struct Run {
    to: SocketAddr,
    requests: Arc<Requests>,
    pace: Pace,
    began: Instant,
    next: AtomicUsize,
    over: AtomicBool,
    /// Connections on which nothing is under way.
    free: Mutex<Vec<TcpStream>>,
}

/// Sends the requests in order until they are used up or `at_most` has passed.
pub async fn drive(
    to: SocketAddr,
    requests: &Arc<Requests>,
    pace: Pace,
    at_most: Duration,
) -> anyhow::Result<Outcome> {
    let run = Arc::new(Run {
        to,
        requests: Arc::clone(requests),
        pace,
        began: now(),
        next: AtomicUsize::new(0),
        over: AtomicBool::new(false),
        free: Mutex::default(),
    });
    let many = match pace {
        Pace::Closed => CONNECTIONS,
        Pace::Open { .. } => CONNECTIONS_OPEN,
    };
    let connections: Vec<_> = (0..many)
        .map(|_| tokio::spawn(connection(Arc::clone(&run))))
        .collect();
    let ending = tokio::spawn({
        let run = Arc::clone(&run);
        async move {
            tokio::time::sleep(at_most).await;
            run.over.store(true, Ordering::Relaxed);
        }
    });
    let mut outcome = Outcome::default();
    for connection in connections {
        outcome.add(connection.await.context("a connection's task")?);
    }
    ending.abort();
    outcome.elapsed = run.began.elapsed();
    outcome.latencies.sort_unstable();
    Ok(outcome)
}

async fn connection(run: Arc<Run>) -> Outcome {
    let mut seen = Outcome::default();
    let mut buffer = Vec::with_capacity(4_096);
    while !run.over.load(Ordering::Relaxed) {
        let index = run.next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = run.requests.get(index) else {
            break;
        };
        let due = run.wait_for_turn(index).await;
        match run.exchange(request, &mut buffer).await {
            Ok(status) => {
                *seen.statuses.entry(status).or_default() += 1;
                seen.due.push((index, due));
                seen.latencies
                    .push(u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            Err(_) => {
                seen.broken += 1;
                // A server that is being restarted refuses connections: do not spin on that.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    seen
}

impl Run {
    /// Waits until the request may go, and says from when its latency counts.
    async fn wait_for_turn(&self, index: usize) -> Instant {
        let Pace::Open { per_second } = self.pace else {
            return now();
        };
        let due = self.began + Duration::from_secs_f64(index as f64 / per_second);
        if due <= now() {
            return due;
        }
        tokio::time::sleep_until(due.into()).await;
        // The timer is coarser than a request; its lateness is ours, not the server's.
        now()
    }

    /// One that broke does not come back.
    async fn exchange(&self, request: &[u8], buffer: &mut Vec<u8>) -> std::io::Result<u16> {
        let free = lock(&self.free).pop();
        let mut stream = match free {
            Some(stream) => stream,
            None => connect(self.to).await?,
        };
        let status = ask(&mut stream, request, buffer).await?;
        lock(&self.free).push(stream);
        Ok(status)
    }
}

async fn ask(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> std::io::Result<u16> {
    stream.write_all(request).await?;
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(status) = whole_answer(buffer) {
            return Ok(status);
        }
    }
}

async fn connect(to: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The status of the answer in `bytes`, once head and body are there. Only answers with a `Content-Length` (or none
/// at all, which means no body here) come from the servers under test.
fn whole_answer(bytes: &[u8]) -> Option<u16> {
    let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..head_end]).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    (bytes.len() >= head_end + length.unwrap_or(0)).then_some(status)
}

#[allow(
    clippy::disallowed_methods,
    reason = "measuring time is what a load generator is for"
)]
pub fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is_there() {
        assert_eq!(
            whole_answer(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
            Some(200)
        );
        assert_eq!(
            whole_answer(b"HTTP/1.1 503 X\r\nContent-Length: 4\r\n\r\nbu"),
            None
        );
        assert_eq!(
            whole_answer(b"HTTP/1.1 503 X\r\nContent-Length: 4\r\n\r\nbusy"),
            Some(503)
        );
        assert_eq!(whole_answer(b"HTTP/1.1 200 OK\r\n"), None);
    }
}
