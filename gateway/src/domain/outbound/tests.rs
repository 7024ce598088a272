//! The JSON of contents: what rows hold, what the page shows, and what cannot be read.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::samples::samples;
use super::*;

fn read(json: Value) -> Result<OutboundContent, String> {
    serde_json::from_str(&json.to_string()).map_err(|error| error.to_string())
}

/// As version 0.1.0 wrote them before there were other kinds; queued rows and replays of journals hold such.
const FIRST_ROWS: &[&str] = &[
    r#"{"type":"text","body":"Open till 18:00","preview_url":false}"#,
    r#"{"type":"buttons","body":"Keep the slot?","footer":"Reply STOP to opt out","buttons":[{"id":"keep","title":"Keep"},{"id":"move","title":"Move"}]}"#,
    r#"{"type":"buttons","body":"Keep the slot?","buttons":[{"id":"keep","title":"Keep"}]}"#,
    r#"{"type":"list","body":"Pick a branch","button":"Show","sections":[{"title":"North","rows":[{"id":"leeds","title":"LEEDS","description":"Mon-Sat"}]},{"title":"","rows":[{"id":"dover","title":"DOVER"}]}]}"#,
    r#"{"type":"template","name":"delivery_eta","language":"en_GB","parameters":[]}"#,
    r#"{"type":"template","name":"delivery_eta","language":"en_GB","parameters":[{"value":"Ines"},{"value":"10:30"}]}"#,
    r#"{"type":"template","name":"delivery_eta","language":"en_GB","parameters":[{"name":"eta","value":"10:30"}]}"#,
    r#"{"type":"reaction","message_id":"wamid.A1","emoji":"👍"}"#,
    r#"{"type":"mark_read","message_id":"wamid.A1","typing":true}"#,
];

#[test]
fn rows_of_the_first_build_are_read_and_written_as_they_were() {
    for row in FIRST_ROWS {
        let content: OutboundContent = serde_json::from_str(row).expect(row);
        assert_eq!(serde_json::to_string(&content).expect("JSON"), *row);
    }
    // What a row might have held all the same is still read: policy judges it, not the reader.
    let blank = read(json!({ "type": "text", "body": "" })).expect("read");
    assert!(blank.check().is_err());
}

#[test]
fn every_kind_stands_on_the_page_and_every_example_is_taken() {
    let samples = samples();
    let shown: BTreeSet<_> = samples.iter().map(OutboundContent::kind).collect();
    let all: BTreeSet<_> = OutboundContent::KINDS.iter().copied().collect();
    assert_eq!(shown, all, "docs/messages.md shows each kind");
    for sample in samples {
        assert_eq!(sample.check(), Ok(()), "{sample:?}");
        let json = serde_json::to_value(&sample).expect("JSON");
        assert_eq!(json["type"], sample.kind());
        assert_eq!(read(json).as_ref(), Ok(&sample));
        WellFormed::try_from(sample).expect("well formed");
    }
}

#[test]
fn what_is_not_known_is_refused_and_not_dropped() {
    for (odd, said) in [
        (
            json!({ "type": "text", "body": "hi", "bold": true }),
            "bold",
        ),
        (
            json!({ "type": "image", "link": "https://a/b", "catpion": "x" }),
            "catpion",
        ),
        (
            json!({ "type": "sticker", "id": "1", "caption": "x" }),
            "caption",
        ),
        (
            json!({ "type": "audio", "id": "1", "filename": "x" }),
            "filename",
        ),
        (
            json!({ "type": "video", "id": "1", "voice": true }),
            "voice",
        ),
        (
            json!({ "type": "image", "id": "1", "link": "https://a/b" }),
            "not both",
        ),
        (
            json!({ "type": "image", "caption": "x" }),
            "`id` or a `link`",
        ),
        (
            json!({ "type": "location", "latitude": 91, "longitude": 0 }),
            "latitude",
        ),
        (
            json!({ "type": "location", "latitude": 0, "longitude": -181 }),
            "longitude",
        ),
        (
            json!({ "type": "template", "name": "a", "language": "en", "body": [] }),
            "body",
        ),
        (json!({ "type": "hologram" }), "hologram"),
    ] {
        let refused = read(odd.clone()).expect_err("refused");
        assert!(refused.contains(said), "{odd}: {refused}");
    }
}

#[test]
fn a_request_is_told_the_field_and_the_limit() {
    let long = json!({ "type": "buttons", "body": "?", "buttons": [
        { "id": "a", "title": "Yes" }, { "id": "b", "title": "x".repeat(21) } ] });
    let refused = serde_json::from_value::<WellFormed>(long).expect_err("refused");
    assert_eq!(
        refused.to_string(),
        "it takes `buttons[1].title` of at most 20 characters (facts §4.3)"
    );
}

#[test]
fn a_blank_value_is_shown_as_its_default() {
    let parameter = TemplateParameter::positional(" ").or("there");
    assert_eq!(parameter.shown(), "there");
    assert_eq!(
        TemplateParameter::positional("Ines").or("there").shown(),
        "Ines"
    );
}
