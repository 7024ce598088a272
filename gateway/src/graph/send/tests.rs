//! Graph's exact bodies: of every example of `docs/messages.md` a snapshot, and the rules of the envelope.

use serde_json::{Value, json};

use super::*;
use crate::domain::outbound::samples::samples;
use crate::domain::outbound::{
    ListRow, ListSection, ReplyButton, TemplateContent, TemplateParameter,
};
use crate::domain::{Bsuid, Phone};

fn sent(content: OutboundContent, reply_to: Option<&str>) -> String {
    let phone = Recipient::Phone(Phone::parse("447700900123").expect("a phone"));
    body(&phone, &content, reply_to, OutboxId::from_raw(42))
}

fn named(name: Option<&str>, value: &str) -> TemplateParameter {
    TemplateParameter {
        name: name.map(str::to_owned),
        ..TemplateParameter::positional(value)
    }
}

fn row(id: &str, description: Option<&str>) -> ListRow {
    ListRow {
        id: id.to_owned(),
        title: id.to_uppercase(),
        description: description.map(str::to_owned),
    }
}

#[test]
fn text_goes_to_a_phone_with_its_plus() {
    let text = OutboundContent::Text {
        body: "Open \"till\" 18:00 👍".to_owned(),
        preview_url: false,
    };
    insta::assert_snapshot!(sent(text, None), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","type":"text","text":{"body":"Open \"till\" 18:00 👍","preview_url":false},"biz_opaque_callback_data":"out_000000000001a"}"#);
}

#[test]
fn a_bsuid_is_addressed_as_recipient_and_never_as_to() {
    let bsuid = Recipient::Bsuid(Bsuid::parse("BR.77120993817234").expect("a bsuid"));
    let text = OutboundContent::Text {
        body: "oi https://shop.example".to_owned(),
        preview_url: true,
    };
    insta::assert_snapshot!(body(&bsuid, &text, Some("wamid.A1"), OutboxId::from_raw(42)), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","recipient":"BR.77120993817234","context":{"message_id":"wamid.A1"},"type":"text","text":{"body":"oi https://shop.example","preview_url":true},"biz_opaque_callback_data":"out_000000000001a"}"#);
}

#[test]
fn reply_buttons_are_interactive() {
    let reply = |id: &str, title: &str| ReplyButton {
        id: id.to_owned(),
        title: title.to_owned(),
    };
    let buttons = OutboundContent::Buttons {
        header: None,
        body: "Keep the 10:30 slot?".to_owned(),
        footer: Some("Reply STOP to opt out".to_owned()),
        buttons: vec![reply("keep", "Keep"), reply("move", "Move")],
    };
    insta::assert_snapshot!(sent(buttons, Some("wamid.A1")), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","context":{"message_id":"wamid.A1"},"type":"interactive","interactive":{"type":"button","body":{"text":"Keep the 10:30 slot?"},"footer":{"text":"Reply STOP to opt out"},"action":{"buttons":[{"type":"reply","reply":{"id":"keep","title":"Keep"}},{"type":"reply","reply":{"id":"move","title":"Move"}}]}},"biz_opaque_callback_data":"out_000000000001a"}"#);
}

#[test]
fn a_list_leaves_out_what_is_empty() {
    let sections = vec![
        ListSection {
            title: "North".to_owned(),
            rows: vec![row("leeds", Some("Mon-Sat"))],
        },
        ListSection {
            title: String::new(),
            rows: vec![row("dover", None)],
        },
    ];
    let list = OutboundContent::List {
        header: None,
        footer: None,
        body: "Pick a branch".to_owned(),
        button: "Show branches".to_owned(),
        sections,
    };
    insta::assert_snapshot!(sent(list, None), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","type":"interactive","interactive":{"type":"list","body":{"text":"Pick a branch"},"action":{"button":"Show branches","sections":[{"title":"North","rows":[{"id":"leeds","title":"LEEDS","description":"Mon-Sat"}]},{"rows":[{"id":"dover","title":"DOVER"}]}]}},"biz_opaque_callback_data":"out_000000000001a"}"#);
}

#[test]
fn template_parameters_are_positional_or_named() {
    let template = |parameters| {
        let template = TemplateContent::new("delivery_eta", "en_GB").with_parameters(parameters);
        OutboundContent::Template(Box::new(template))
    };
    insta::assert_snapshot!(sent(template(vec![]), None), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","type":"template","template":{"name":"delivery_eta","language":{"code":"en_GB","policy":"deterministic"}},"biz_opaque_callback_data":"out_000000000001a"}"#);
    insta::assert_snapshot!(sent(template(vec![named(None, "Ines"), named(None, "10:30")]), None), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","type":"template","template":{"name":"delivery_eta","language":{"code":"en_GB","policy":"deterministic"},"components":[{"type":"body","parameters":[{"type":"text","text":"Ines"},{"type":"text","text":"10:30"}]}]},"biz_opaque_callback_data":"out_000000000001a"}"#);
    insta::assert_snapshot!(sent(template(vec![named(Some("eta"), "10:30")]), None), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","type":"template","template":{"name":"delivery_eta","language":{"code":"en_GB","policy":"deterministic"},"components":[{"type":"body","parameters":[{"parameter_name":"eta","type":"text","text":"10:30"}]}]},"biz_opaque_callback_data":"out_000000000001a"}"#);
}

#[test]
fn a_reaction_quotes_nothing_and_an_empty_one_removes() {
    let reaction = |emoji: &str| OutboundContent::Reaction {
        message_id: "wamid.A1".to_owned(),
        emoji: emoji.to_owned(),
    };
    insta::assert_snapshot!(sent(reaction("👍"), Some("wamid.A2")), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","type":"reaction","reaction":{"message_id":"wamid.A1","emoji":"👍"},"biz_opaque_callback_data":"out_000000000001a"}"#);
    insta::assert_snapshot!(sent(reaction(""), None), @r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+447700900123","type":"reaction","reaction":{"message_id":"wamid.A1","emoji":""},"biz_opaque_callback_data":"out_000000000001a"}"#);
}

#[test]
fn mark_as_read_carries_no_outbox_id() {
    let read = |typing| OutboundContent::MarkRead {
        message_id: "wamid.A1".to_owned(),
        typing,
    };
    insta::assert_snapshot!(sent(read(false), None), @r#"{"messaging_product":"whatsapp","status":"read","message_id":"wamid.A1"}"#);
    insta::assert_snapshot!(sent(read(true), None), @r#"{"messaging_product":"whatsapp","status":"read","message_id":"wamid.A1","typing_indicator":{"type":"text"}}"#);
}

/// Snapshots stand beside this file, by kind; the second example of a kind has a 2 behind it.
#[test]
fn every_kind_has_its_body() {
    let mut seen = std::collections::HashMap::<&str, usize>::new();
    for sample in samples() {
        let count = seen.entry(sample.kind()).or_default();
        *count += 1;
        let name = match count {
            1 => sample.kind().to_owned(),
            count => format!("{}_{count}", sample.kind()),
        };
        let endpoint = Endpoint::of(&sample).path();
        let body: Value = serde_json::from_str(&sent(sample, None)).expect("JSON");
        let body = serde_json::to_string_pretty(&body).expect("JSON");
        insta::assert_snapshot!(
            name,
            format!("POST /{{phone_number_id}}/{endpoint}\n{body}")
        );
    }
}

/// What the page has no example of: headers and buttons of templates.
#[test]
fn every_part_of_a_template_has_its_component() {
    for (name, part) in [
        (
            "header_text",
            json!({ "header": { "type": "text", "name": "day", "value": "Friday" } }),
        ),
        (
            "header_document",
            json!({ "header": { "type": "document", "id": "9", "filename": "a.pdf" } }),
        ),
        (
            "header_location",
            json!({ "header": { "type": "location", "latitude": 51.5, "longitude": -0.12 } }),
        ),
        (
            "header_product",
            json!({ "header": { "type": "product", "catalog_id": "3300", "product_retailer_id": "A" } }),
        ),
        (
            "button_flow",
            json!({ "buttons": [{ "type": "flow", "index": 0, "flow_token": "t", "data": { "city": "Leeds" } }] }),
        ),
        (
            "button_catalog",
            json!({ "buttons": [{ "type": "catalog", "index": 0, "thumbnail_product_retailer_id": "A" }] }),
        ),
        (
            "button_call",
            json!({ "buttons": [{ "type": "voice_call", "index": 2, "ttl_minutes": 60, "payload": "case-9" }] }),
        ),
    ] {
        let mut whole = json!({ "type": "template", "name": "t", "language": "en" });
        let fields = whole.as_object_mut().expect("an object");
        fields.extend(part.as_object().expect("an object").clone());
        let content = serde_json::from_value(whole).expect("content");
        let body: Value = serde_json::from_str(&sent(content, None)).expect("JSON");
        let components = serde_json::to_string_pretty(&body["template"]["components"]);
        insta::assert_snapshot!(format!("part_{name}"), components.expect("JSON"));
    }
}

#[test]
fn a_button_that_is_given_nothing_is_left_out() {
    let template = json!({ "type": "template", "name": "t", "language": "en",
        "buttons": [{ "type": "catalog", "index": 0 }] });
    let body = sent(serde_json::from_value(template).expect("content"), None);
    assert!(!body.contains("components"), "{body}");
}

#[test]
fn a_flow_without_a_first_screen_asks_its_endpoint() {
    let flow = json!({ "type": "flow", "body": "Book", "flow_id": "1", "flow_token": "t", "cta": "Go", "mode": "draft" });
    let body = sent(serde_json::from_value(flow).expect("content"), None);
    let action = r#""flow_action":"data_exchange","mode":"draft"}"#;
    assert!(body.contains(action), "{body}");
}

#[test]
fn only_what_says_so_goes_to_the_marketing_endpoint() {
    for sample in samples() {
        let says = serde_json::to_value(&sample).expect("JSON");
        let marketing = says.get("marketing_messages").is_some();
        let expected = match marketing {
            true => Endpoint::MarketingMessages,
            false => Endpoint::Messages,
        };
        assert_eq!(Endpoint::of(&sample), expected, "{says}");
        let body: Value = serde_json::from_str(&sent(sample, None)).expect("JSON");
        assert_eq!(body.get("product_policy").is_some(), marketing, "{body}");
    }
}

#[test]
fn a_default_travels_as_the_value() {
    let blank = vec![named(None, " ").or("there")];
    let template = TemplateContent::new("hello", "en").with_parameters(blank);
    let body = sent(OutboundContent::Template(Box::new(template)), None);
    assert!(body.contains(r#"{"type":"text","text":"there"}"#), "{body}");
}
