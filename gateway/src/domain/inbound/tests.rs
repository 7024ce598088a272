//! What starts a turn, opens the window and takes over, by content and source; and that old rows still read.

use super::*;

fn text(body: &str) -> InboundContent {
    InboundContent::Text { body: body.into() }
}

fn by(source: Source, content: InboundContent) -> InboundMessage {
    InboundMessage {
        source,
        ..content.into()
    }
}

fn call(event: &str, by_customer: Option<bool>) -> InboundMessage {
    let call = Call {
        id: "wacid.1".into(),
        event: event.into(),
        by_customer,
        outcome: None,
        seconds: None,
    };
    by(Source::Notice, InboundContent::Call(call))
}

#[test]
fn only_what_the_person_says_to_us_starts_a_turn_and_opens_the_window() {
    let edit = InboundContent::Edit {
        original: "wamid.1".into(),
        content: Box::new(text("hi")),
    };
    let revoke = InboundContent::Revoke {
        original: "wamid.1".into(),
    };
    let reaction = InboundContent::Reaction {
        message_id: "wamid.1".into(),
        emoji: None,
    };
    // (message, starts a turn, opens the window, takes over)
    let cases = [
        (by(Source::Customer, text("hi")), true, true, false),
        (by(Source::Customer, reaction.clone()), true, false, false),
        (by(Source::Customer, edit.clone()), false, false, false),
        (by(Source::Customer, revoke), false, false, false),
        (by(Source::Standby, text("hi")), false, false, false),
        (by(Source::Echo, text("hi")), false, false, true),
        (by(Source::Echo, edit), false, false, false),
        (by(Source::Echo, reaction), false, false, false),
        (call("connect", Some(true)), false, true, false),
        (call("connect", Some(false)), false, false, false),
        (call("accepted", None), false, true, false),
        (call("terminate", Some(true)), false, false, false),
    ];
    for (message, turn, window, take_over) in cases {
        let found = (
            message.starts_turn(),
            message.opens_window(),
            message.takes_over(),
        );
        assert_eq!(found, (turn, window, take_over), "{message:?}");
    }
}

#[test]
fn what_is_stored_reads_as_content_alone_and_as_the_whole() {
    let message = InboundMessage {
        context: Some(Context {
            id: Some("wamid.2".into()),
            forwarded: true,
            ..Context::default()
        }),
        ..text("hi").into()
    };
    let stored = serde_json::to_string(&message).expect("JSON");
    assert_eq!(
        stored,
        r#"{"type":"text","body":"hi","context":{"id":"wamid.2","forwarded":true}}"#
    );
    let content: InboundContent = serde_json::from_str(&stored).expect("content");
    assert_eq!(content, message.content);
    let whole: InboundMessage = serde_json::from_str(&stored).expect("a message");
    assert_eq!(whole, message);
}

#[test]
fn rows_of_before_these_types_still_read() {
    let old = r#"{"type":"other","kind":"location"}"#;
    let read: InboundMessage = serde_json::from_str(old).expect("a message");
    let location = InboundContent::Other {
        kind: "location".into(),
    };
    assert_eq!(read, location.into());
}
