//! Rows for the tests of the pure parts.

use crate::domain::{
    Bucket, ContactId, ConversationId, Draft, DraftClass, NumberId, OutboundContent, OutboxId,
    OutboxState, Phone, Recipient, Sender, TenantId, Timestamp,
};
use crate::storage::outbox::OutboxRow;

pub(super) fn now() -> Timestamp {
    Timestamp::from_secs(1_795_000_000)
}

/// A text that is due, of number 7.
pub(super) fn row(id: i64, conversation: i64) -> OutboxRow {
    row_of(7, id, conversation)
}

pub(super) fn row_of(number: i64, id: i64, conversation: i64) -> OutboxRow {
    let number = NumberId::from_raw(number);
    OutboxRow {
        draft: Draft {
            id: OutboxId::from_raw(id),
            tenant: TenantId::from_raw(1),
            number,
            conversation: ConversationId::from_raw(conversation),
            contact: ContactId::from_raw(conversation),
            recipient: Recipient::Phone(Phone::parse("447700900123").expect("a phone")),
            content: OutboundContent::Text {
                body: "hi".into(),
                preview_url: false,
            },
            reply_to: None,
            class: DraftClass::Reply,
            sender: Sender::ApiKey {
                name: "shop".into(),
            },
            owner_version: 0,
            created_at: now(),
        },
        bucket: Bucket::of(number),
        turn: None,
        state: OutboxState::Queued,
        due_at: now(),
        attempts: 0,
        doubts: 0,
        changed_at: now(),
        wamid: None,
        receipt: None,
        error: None,
        reason: String::new(),
    }
}
