//! What WASI's polite world (`abi/wasi`) remembers of a turn: unfinished lines of stdout and stderr, and how long the guest
//! has waited, by a clock that only its waits move.

use wasmtime::component::{Resource, ResourceTable};

use super::limits::LOG_LINE_BYTES;
use super::report::LogLevel;

/// `wasi:io/poll.pollable`: ready at this time of the monotonic clock.
pub(super) struct Pollable {
    ready_at: u64,
}

/// One of the two streams that a guest can write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

impl Stream {
    pub(super) const ALL: [Self; 2] = [Self::Out, Self::Err];

    /// How its lines stand in the plugin's log.
    pub(super) fn level(self) -> LogLevel {
        match self {
            Self::Out => LogLevel::Info,
            Self::Err => LogLevel::Error,
        }
    }
}

pub(super) struct Polite {
    lines: [Vec<u8>; 2],
    /// Nanoseconds.
    monotonic: u64,
    pollables: ResourceTable,
}

impl Polite {
    /// The monotonic clock begins at the turn's time.
    pub(super) fn new(now_ms: i64) -> Self {
        Self {
            lines: [Vec::new(), Vec::new()],
            monotonic: u64::try_from(now_ms).unwrap_or(0).saturating_mul(1_000_000),
            pollables: ResourceTable::new(),
        }
    }

    pub(super) fn monotonic(&self) -> u64 {
        self.monotonic
    }

    /// Takes what was written and hands on the lines that it completes, as they are. Of a line that is too long only the
    /// beginning is kept, as of any line of the log; empty ones say nothing.
    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        let line = &mut self.lines[stream as usize];
        let mut parts = bytes.split(|byte| *byte == b'\n');
        let last = parts.next_back().unwrap_or_default();
        for part in parts {
            extend(line, part);
            end(line, &mut each);
        }
        extend(line, last);
    }

    /// The end of a call: what stands there without a line's end is one too.
    pub(super) fn end_line(&mut self, stream: Stream, mut each: impl FnMut(&[u8])) {
        end(&mut self.lines[stream as usize], &mut each);
    }

    pub(super) fn subscribe(&mut self, ready_at: u64) -> wasmtime::Result<Resource<Pollable>> {
        Ok(self.pollables.push(Pollable { ready_at })?)
    }

    pub(super) fn forget(&mut self, pollable: Resource<Pollable>) -> wasmtime::Result<()> {
        self.pollables.delete(pollable)?;
        Ok(())
    }

    pub(super) fn is_ready(&self, pollable: &Resource<Pollable>) -> wasmtime::Result<bool> {
        Ok(self.ready_at(pollable)? <= self.monotonic)
    }

    /// Waits until one of them is ready: nobody waits, the clock goes there. Answers the places of those that are.
    pub(super) fn wait(&mut self, pollables: &[Resource<Pollable>]) -> wasmtime::Result<Vec<u32>> {
        let times = pollables.iter().map(|pollable| self.ready_at(pollable));
        let times: Vec<u64> = times.collect::<wasmtime::Result<_>>()?;
        let first = times.iter().min().copied().unwrap_or(0);
        self.monotonic = self.monotonic.max(first);
        let ready = (0..)
            .zip(times)
            .filter(|(_, at)| *at <= self.monotonic)
            .map(|(place, _)| place);
        Ok(ready.collect())
    }

    fn ready_at(&self, pollable: &Resource<Pollable>) -> wasmtime::Result<u64> {
        Ok(self.pollables.get(pollable)?.ready_at)
    }
}

/// Four bytes more than a line has, so that the log cuts at a character and not here.
fn extend(line: &mut Vec<u8>, part: &[u8]) {
    let room = (LOG_LINE_BYTES + 4).saturating_sub(line.len());
    line.extend_from_slice(&part[..part.len().min(room)]);
}

fn end(line: &mut Vec<u8>, each: &mut impl FnMut(&[u8])) {
    let text = line.strip_suffix(b"\r").unwrap_or(line);
    if !text.is_empty() {
        each(text);
    }
    line.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(polite: &mut Polite, stream: Stream, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        polite.write(stream, bytes, |line| {
            lines.push(String::from_utf8_lossy(line).into_owned());
        });
        lines
    }

    fn unfinished(polite: &mut Polite, stream: Stream) -> Option<String> {
        let mut rest = None;
        polite.end_line(stream, |line| {
            rest = Some(String::from_utf8_lossy(line).into_owned());
        });
        rest
    }

    #[test]
    fn lines_are_those_of_the_stream_however_they_are_written() {
        let mut polite = Polite::new(0);
        assert_eq!(written(&mut polite, Stream::Out, b"one\ntw"), ["one"]);
        assert!(written(&mut polite, Stream::Err, b"oh").is_empty());
        assert_eq!(written(&mut polite, Stream::Out, b"o\r\n\n\r\n"), ["two"]);
        assert_eq!(unfinished(&mut polite, Stream::Out), None);
        assert_eq!(unfinished(&mut polite, Stream::Err).as_deref(), Some("oh"));
        assert_eq!(unfinished(&mut polite, Stream::Err), None);
    }

    #[test]
    fn a_line_without_end_takes_no_more_than_one_does() {
        let mut polite = Polite::new(0);
        for _ in 0..100 {
            assert!(written(&mut polite, Stream::Out, &[b'x'; 4096]).is_empty());
        }
        let line = unfinished(&mut polite, Stream::Out).expect("a line");
        assert_eq!(line.len(), LOG_LINE_BYTES + 4);
    }

    #[test]
    fn waits_take_no_time_and_move_the_clock_to_the_first_that_is_ready() {
        let mut polite = Polite::new(2);
        assert_eq!(polite.monotonic(), 2_000_000);
        let late = polite.subscribe(2_000_500).expect("room");
        let later = polite.subscribe(2_000_700).expect("room");
        assert!(!polite.is_ready(&late).expect("known"));
        let all = [later, late];
        assert_eq!(polite.wait(&all).expect("known"), [1]);
        assert_eq!(polite.monotonic(), 2_000_500);
        assert!(polite.is_ready(&all[1]).expect("known"));
        assert_eq!(polite.wait(&all[..1]).expect("known"), [0]);
        let [later, _] = all;
        polite.forget(later).expect("known");
    }
}
