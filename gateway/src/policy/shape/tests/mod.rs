//! Rule 4 at the first gate: what it clears, and by which reason and field it refuses.

mod contents;
mod forms;
mod limits;
mod parameters;

use serde_json::{Value, json};

use crate::domain::{Bsuid, DraftClass, OutboundContent, Phone, Recipient};
use crate::policy::fixture::{facts, now, plugin_reply};
use crate::policy::{Decision, TemplateFact, decide};

/// The gate's word, and what it would take instead.
fn judged(content: &Value) -> (String, String) {
    let content: OutboundContent = serde_json::from_value(content.clone()).expect("content");
    let mut draft = plugin_reply("");
    let marketing = |t: &crate::domain::outbound::TemplateContent| t.marketing_messages.is_some();
    if content.template().is_some_and(marketing) {
        draft.class = DraftClass::Marketing;
    }
    if matches!(content, OutboundContent::AddressMessage(_)) {
        draft.recipient = Recipient::Phone(Phone::parse("919812345678").expect("a phone"));
    }
    let mut facts = facts();
    if content.template().is_some() {
        facts.template = TemplateFact::Unknown;
    }
    draft.content = content;
    match decide(&facts, &draft, now()) {
        Decision::Cleared(_) => ("cleared".to_owned(), String::new()),
        Decision::Refused(refusal) => (
            refusal.reason.code().to_owned(),
            refusal.allowed.unwrap_or_default(),
        ),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(content: &Value, reason: &str, field: &str) {
    let (found, allowed) = judged(content);
    assert_eq!(found, reason, "{content}");
    assert!(
        allowed.contains(&format!("`{field}`")),
        "{allowed} names {field}"
    );
    assert!(allowed.contains('§'), "{allowed} cites its section");
}

#[track_caller]
fn cleared(content: &Value) {
    assert_eq!(
        judged(content),
        ("cleared".to_owned(), String::new()),
        "{content}"
    );
}

#[test]
fn addresses_are_asked_for_in_india_only() {
    let mut draft = plugin_reply("");
    draft.content =
        serde_json::from_value(json!({ "type": "address_message", "body": "?", "country": "IN" }))
            .expect("content");
    let phone = |digits| Recipient::Phone(Phone::parse(digits).expect("a phone"));
    let bsuid = |id| Recipient::Bsuid(Bsuid::parse(id).expect("a bsuid"));
    for (recipient, expected) in [
        (phone("919812345678"), "cleared"),
        (bsuid("IN.44100938"), "cleared"),
        (phone("447700900123"), "recipient_not_served"),
        (bsuid("GB.44100938"), "recipient_not_served"),
    ] {
        draft.recipient = recipient;
        let decision = decide(&facts(), &draft, now());
        assert_eq!(crate::policy::fixture::code_of(&decision), expected);
    }
}
