//! Events as bytes: about thirty each, because every message leaves some for as long as events are kept.
//!
//! One event is kind (1) | conversation (8) | subject (8) | time (8) | detail (1) | length of the note (1) | note, numbers
//! big endian. A batch is a version, then tenant (8) and event, repeated; a block is a version, then events: its row
//! names the tenant.

use crate::domain::{ConversationId, StreamEvent, StreamKind, TenantId, Timestamp};

const VERSION: u8 = 1;
const FIXED: usize = 1 + 8 + 8 + 8 + 1 + 1;
const NOTE_MOST: usize = 255;

/// The events of one tenant, as the sealer gathers them.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) events: usize,
    pub(super) body: Vec<u8>,
}

impl Default for Block {
    fn default() -> Self {
        Self {
            events: 0,
            body: vec![VERSION],
        }
    }
}

impl Block {
    pub(super) fn push(&mut self, event: &[u8]) {
        self.events += 1;
        self.body.extend_from_slice(event);
    }
}

/// What a transaction told.
pub(super) fn batch(events: &[StreamEvent]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + events.len() * (8 + FIXED + 8));
    bytes.push(VERSION);
    for event in events {
        bytes.extend_from_slice(&event.tenant.raw().to_be_bytes());
        write(&mut bytes, event);
    }
    bytes
}

fn write(bytes: &mut Vec<u8>, event: &StreamEvent) {
    let note = short(&event.note);
    bytes.push(event.kind.code());
    bytes.extend_from_slice(&event.conversation.raw().to_be_bytes());
    bytes.extend_from_slice(&event.subject.to_be_bytes());
    bytes.extend_from_slice(&event.at.millis().to_be_bytes());
    bytes.push(event.detail);
    bytes.push(u8::try_from(note.len()).unwrap_or_default());
    bytes.extend_from_slice(note.as_bytes());
}

/// As much of a note as is kept, cut between two characters.
fn short(note: &str) -> &str {
    let mut end = note.len().min(NOTE_MOST);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    &note[..end]
}

/// Hands each event of a batch on with its tenant, as bytes. `None`: it does not read.
pub(super) fn split(batch: &[u8], mut each: impl FnMut(i64, &[u8])) -> Option<()> {
    let mut rest = batch.strip_prefix(&[VERSION])?;
    while !rest.is_empty() {
        let (tenant, after) = number(rest)?;
        let length = length(after)?;
        each(tenant, after.get(..length)?);
        rest = &after[length..];
    }
    Some(())
}

/// The events of a block; those that a newer build wrote and this one does not know are `None`. `None`: it does not read.
pub(super) fn events(tenant: TenantId, block: &[u8]) -> Option<Vec<Option<StreamEvent>>> {
    let mut rest = block.strip_prefix(&[VERSION])?;
    let mut events = Vec::new();
    while !rest.is_empty() {
        let length = length(rest)?;
        events.push(event(tenant, rest.get(..length)?));
        rest = &rest[length..];
    }
    Some(events)
}

fn length(bytes: &[u8]) -> Option<usize> {
    Some(FIXED + usize::from(*bytes.get(FIXED - 1)?))
}

fn event(tenant: TenantId, bytes: &[u8]) -> Option<StreamEvent> {
    let (kind, rest) = bytes.split_first()?;
    let (conversation, rest) = number(rest)?;
    let (subject, rest) = number(rest)?;
    let (at, rest) = number(rest)?;
    let (detail, rest) = rest.split_first()?;
    let note = rest.get(1..)?;
    Some(StreamEvent {
        tenant,
        conversation: ConversationId::from_raw(conversation),
        kind: StreamKind::from_code(*kind)?,
        subject,
        detail: *detail,
        note: std::str::from_utf8(note).ok()?.to_owned(),
        at: Timestamp::from_millis(at),
    })
}

fn number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((i64::from_be_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(tenant: i64, kind: StreamKind, note: &str) -> StreamEvent {
        StreamEvent::new(
            TenantId::from_raw(tenant),
            ConversationId::from_raw(-7),
            kind,
            Timestamp::from_millis(1_795_000_000_123),
        )
        .about(i64::MAX)
        .with_detail(9)
        .noting(note)
    }

    #[test]
    fn events_survive_the_batch_and_the_block() {
        let told: Vec<StreamEvent> = StreamKind::ALL
            .iter()
            .map(|kind| sample(3, *kind, kind.word()))
            .collect();
        let mut block = Block::default();
        split(&batch(&told), |tenant, event| {
            assert_eq!(tenant, 3);
            block.push(event);
        })
        .expect("a batch");
        assert_eq!(block.events, told.len());
        let read = events(TenantId::from_raw(3), &block.body).expect("a block");
        assert_eq!(read, told.into_iter().map(Some).collect::<Vec<_>>());
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        let told = sample(1, StreamKind::MessageFailed, &"ä".repeat(200));
        let mut kept = String::new();
        split(&batch(&[told]), |_, bytes| {
            kept = event(TenantId::from_raw(1), bytes).expect("an event").note;
        })
        .expect("a batch");
        assert_eq!(kept, "ä".repeat(127));
    }

    #[test]
    fn what_is_cut_off_does_not_read() {
        let whole = batch(&[sample(1, StreamKind::MessageSent, "x")]);
        for end in [0, 5, whole.len() - 1] {
            assert_eq!(split(&whole[..end], |_, _| {}), None, "{end} bytes");
        }
        assert_eq!(events(TenantId::from_raw(1), &[2]), None);
    }
}
