//! What of a history plugins are told: who said it, in whose words, and nothing that names anybody.

use serde_json::json;

use super::*;
use crate::domain::{
    Bucket, ContactId, ConversationId, Draft, DraftClass, EventId, InstallationId, NumberId,
    OutboxId, Phone, RawId, Recipient, Timestamp,
};

const TENANT: TenantId = TenantId::from_raw(1);
const PHONE: &str = "4915112345678";

fn heard(id: i64, content: serde_json::Value) -> InboundEntry {
    InboundEntry {
        id: EventId::from_raw(id),
        number: NumberId::from_raw(2),
        conversation: ConversationId::from_raw(3),
        contact: ContactId::from_raw(4),
        seq: id,
        kind: 1,
        raw: RawId::from_raw(5),
        ordinal: 0,
        at: Timestamp::from_millis(id),
        wamid: format!("wamid.{PHONE}.{id}"),
        content: content.to_string(),
    }
}

fn sent(id: i64, sender: Sender, content: OutboundContent, state: OutboxState) -> OutboxRow {
    let draft = Draft {
        id: OutboxId::from_raw(id),
        tenant: TENANT,
        number: NumberId::from_raw(2),
        conversation: ConversationId::from_raw(3),
        contact: ContactId::from_raw(4),
        recipient: Recipient::Phone(Phone::parse(PHONE).expect("a phone")),
        content,
        reply_to: None,
        class: DraftClass::Reply,
        sender,
        owner_version: 0,
        created_at: Timestamp::from_millis(id),
    };
    OutboxRow {
        draft,
        bucket: Bucket::from_raw(0).expect("a bucket"),
        turn: None,
        state,
        due_at: Timestamp::ZERO,
        attempts: 0,
        doubts: 0,
        changed_at: Timestamp::ZERO,
        wamid: Some(format!("wamid.{PHONE}.{id}")),
        receipt: None,
        error: None,
        reason: String::new(),
    }
}

fn plugin() -> Sender {
    Sender::Plugin {
        installation: InstallationId::from_raw(6),
        name: "menu".to_owned(),
        version: "1.0.0".to_owned(),
        farewell: false,
    }
}

fn text(body: &str) -> OutboundContent {
    OutboundContent::Text {
        body: body.to_owned(),
        preview_url: false,
    }
}

fn lines(said: &[Said]) -> Vec<String> {
    let line = |said: &Said| {
        let who = said.who.known().expect("a word");
        format!("{who:?} {} {:?}", said.kind, said.text)
    };
    said.iter().map(line).collect()
}

#[test]
fn everybody_who_can_speak_has_a_word_and_nobody_a_name() {
    let ana = "Ana Silva".to_owned();
    let inbound = vec![
        heard(9, json!({"type": "text", "body": "hi"})),
        heard(
            8,
            json!({"type": "text", "body": "from the app", "source": "echo"}),
        ),
        heard(
            7,
            json!({"type": "reaction", "message_id": "wamid.x", "emoji": "👍"}),
        ),
        heard(6, json!({"type": "system", "kind": "user_changed_number"})),
    ];
    let outbound = vec![
        sent(5, plugin(), text("answer"), OutboxState::Accepted),
        sent(
            4,
            Sender::Agent { name: ana.clone() },
            text("I am here"),
            OutboxState::Accepted,
        ),
        sent(
            3,
            Sender::ApiKey { name: ana },
            text("paid"),
            OutboxState::Queued,
        ),
        sent(
            2,
            Sender::Rule {
                name: "fallback".to_owned(),
            },
            text("sorry"),
            OutboxState::Unknown,
        ),
    ];
    let said = newest_first(TENANT, &[9, 8, 7, 6, 5, 4, 3, 2, 1], inbound, outbound);
    assert_eq!(
        lines(&said),
        [
            r#"Person text "hi""#,
            r#"Agent text "from the app""#,
            r#"Person reaction "👍""#,
            r#"Bot text "answer""#,
            r#"Agent text "I am here""#,
            r#"Client text "paid""#,
            r#"Gateway text "sorry""#,
        ]
    );
    let all = serde_json::to_string(&said).expect("JSON");
    for personal in [PHONE, "wamid", "Ana", "menu"] {
        assert!(!all.contains(personal), "{personal}: {all}");
    }
    assert!(said.iter().all(|said| said.token.is_some()));
}

#[test]
fn what_never_reached_anybody_was_never_said() {
    let read = OutboundContent::MarkRead {
        message_id: "wamid.A".to_owned(),
        typing: false,
    };
    let outbound = vec![
        sent(5, plugin(), text("a"), OutboxState::Refused),
        sent(4, plugin(), text("b"), OutboxState::Failed),
        sent(3, plugin(), text("c"), OutboxState::Cancelled),
        sent(2, plugin(), read, OutboxState::Accepted),
    ];
    assert_eq!(newest_first(TENANT, &[5, 4, 3, 2], vec![], outbound), []);
}

#[test]
fn what_its_author_deleted_has_no_words_any_more() {
    let original = format!("wamid.{PHONE}.1");
    let inbound = vec![
        heard(2, json!({"type": "revoke", "original": original})),
        heard(1, json!({"type": "text", "body": "a secret"})),
    ];
    let said = newest_first(TENANT, &[2, 1], inbound, vec![]);
    assert_eq!(lines(&said), [r#"Person revoke """#, r#"Person text """#]);
}

#[test]
fn a_history_has_so_many_entries_and_so_many_bytes_and_none_hides_the_others() {
    let long = "é".repeat(60_000);
    let texts = |words: &str, count: i64| {
        let row = |id| heard(id, json!({"type": "text", "body": words}));
        (1..=count).rev().map(row).collect::<Vec<_>>()
    };
    let ids: Vec<i64> = (1..=100).rev().collect();
    let many = newest_first(TENANT, &ids, texts("hi", 100), vec![]);
    assert_eq!(many.len(), HISTORY_ENTRIES as usize);
    assert_eq!(many[0].at, Timestamp::from_millis(100));
    let few = newest_first(TENANT, &ids, texts(&long, 100), vec![]);
    assert_eq!(few.len(), HISTORY_BYTES / (2 * TEXT_CHARS));
    assert!(
        few.iter()
            .all(|said| said.text.chars().count() == TEXT_CHARS)
    );
}
