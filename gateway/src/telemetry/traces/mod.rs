//! Traces of turns for an OpenTelemetry collector: a span for each turn, one in it for each plugin call. Off by default.
//!
//! A trace's id is made of the turn's, so that whoever has the one finds the other. No text, no phone number, no fault's
//! message is in a span (a guest writes those): ids, names, counts. Spans are hints; when the collector is slow they are
//! dropped and counted, and no turn waits for them.

mod export;
mod wire;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::names;
use crate::domain::{Timestamp, TurnId};

pub use export::Exporter;

/// Where spans go.
#[derive(Debug, Clone, Default)]
pub struct Traces(Option<Recording>);

#[derive(Debug, Clone)]
struct Recording {
    spans: mpsc::Sender<Span>,
    /// Of 10,000 turns.
    sampled: u64,
}

/// Something that took time.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub name: &'static str,
    pub trace: [u8; 16],
    pub id: [u8; 8],
    pub parent: Option<[u8; 8]>,
    /// Unix nanoseconds.
    pub start: u64,
    pub end: u64,
    pub attributes: Vec<(&'static str, Attribute)>,
    /// The kind of trouble, if it ended badly.
    pub error: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    Text(String),
    Number(i64),
}

/// Spans that wait for the exporter. A guess: some seconds of a busy node.
const WAITING: usize = 8_192;

impl Traces {
    /// Traces for an exporter, of so many turns in a hundred.
    pub(crate) fn channel(percent: f64) -> (Self, mpsc::Receiver<Span>) {
        let (spans, receiver) = mpsc::channel(WAITING);
        let sampled = (percent.clamp(0.0, 100.0) * 100.0) as u64;
        (Self(Some(Recording { spans, sampled })), receiver)
    }

    /// Is this turn one of those that are traced? The same on every node and in every try.
    pub fn wants(&self, turn: TurnId) -> bool {
        let Some(recording) = &self.0 else {
            return false;
        };
        let [first, second, ..] = trace_of(turn);
        let drawn = u64::from(u16::from_be_bytes([first, second])) * 10_000 / (1 << 16);
        drawn < recording.sampled
    }

    /// Hands a span on, or drops it.
    pub fn tell(&self, span: Span) {
        if let Some(recording) = &self.0
            && recording.spans.try_send(span).is_err()
        {
            metrics::counter!(names::SPANS, "result" => "dropped").increment(1);
        }
    }
}

/// The trace of a turn.
pub fn trace_of(turn: TurnId) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(b"vestibule trace");
    hash.update(turn.raw().to_be_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    id
}

/// The `n`th span of a trace; the first is the turn's own.
pub fn span_of(trace: &[u8; 16], n: u32) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update(trace);
    hash.update(n.to_be_bytes());
    let mut id = [0; 8];
    id.copy_from_slice(&hash.finalize()[..8]);
    id
}

/// A time as spans have it.
pub fn nanos(at: Timestamp) -> u64 {
    at.millis().unsigned_abs().saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(percent: f64) -> usize {
        let (traces, _spans) = Traces::channel(percent);
        let turns = (0..10_000).map(TurnId::from_raw);
        turns.filter(|turn| traces.wants(*turn)).count()
    }

    #[test]
    fn a_share_of_the_turns_is_traced_and_without_a_collector_none() {
        assert_eq!((wanted(0.0), wanted(100.0)), (0, 10_000));
        assert!((800..1_200).contains(&wanted(10.0)), "{}", wanted(10.0));
        assert!(!Traces::default().wants(TurnId::from_raw(1)));
    }

    #[test]
    fn ids_differ_by_turn_and_place_and_are_never_zero() {
        let (one, other) = (trace_of(TurnId::from_raw(1)), trace_of(TurnId::from_raw(2)));
        assert!(one != other && one != [0; 16]);
        assert!(span_of(&one, 0) != span_of(&one, 1) && span_of(&one, 0) != span_of(&other, 0));
    }
}
