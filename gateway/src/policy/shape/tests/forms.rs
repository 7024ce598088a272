//! What is blank, of another form, or the same twice.

use serde_json::{Value, json};

use super::contents::*;
use super::refused;

/// What must be there, or say something, and does not.
#[test]
fn what_is_blank_is_refused_by_its_field() {
    for (field, content) in [
        ("body", json!({ "type": "text", "body": " \n" })),
        (
            "caption",
            json!({ "type": "image", "id": "1", "caption": "" }),
        ),
        (
            "filename",
            json!({ "type": "document", "id": "1", "filename": " " }),
        ),
        (
            "footer",
            merged(buttons(button("a", "A")), json!({ "footer": "" })),
        ),
        (
            "header.text",
            cta(json!({ "header": { "type": "text", "text": "" } })),
        ),
        ("buttons[0].title", buttons(button("a", " "))),
        ("buttons[0].id", buttons(button("", "A"))),
        (
            "sections[0].title",
            list(json!({ "sections": [
            { "rows": [{ "id": "a", "title": "A" }] }, { "title": "S", "rows": [{ "id": "b", "title": "B" }] } ] })),
        ),
        (
            "sections[0].rows[0].description",
            row(json!({ "description": "" })),
        ),
        (
            "message_id",
            json!({ "type": "reaction", "message_id": "", "emoji": "👍" }),
        ),
        (
            "message_id",
            json!({ "type": "mark_read", "message_id": " " }),
        ),
        (
            "contacts[0].name.formatted_name",
            json!({ "type": "contacts", "contacts": [{ "name": { "formatted_name": "" } }] }),
        ),
        (
            "contacts[0].phones[0].phone",
            json!({ "type": "contacts", "contacts": [
            { "name": { "formatted_name": "A", "first_name": "A" }, "phones": [{ "type": "WORK" }] }] }),
        ),
        ("flow_token", flow(json!({ "flow_token": "" }))),
        ("start.screen", flow(json!({ "start": { "screen": "" } }))),
        ("header", product_list(json!({ "header": "" }))),
        (
            "sections[0].products[0]",
            product_list(json!({ "sections": [{ "products": [""] }] })),
        ),
        ("name", template(json!({ "name": "" }))),
        (
            "header.address",
            template(
                json!({ "header": { "type": "location", "latitude": 1, "longitude": 1, "name": "A" } }),
            ),
        ),
        ("language", template(json!({ "language": "" }))),
        (
            "buttons[0].suffix",
            template_button(json!({ "type": "url", "index": 0, "suffix": "" })),
        ),
        (
            "parameters[0].default",
            template(json!({ "parameters": [{ "value": "Ines", "default": " " }] })),
        ),
    ] {
        refused(&content, "content_empty", field);
    }
}

#[test]
fn what_has_another_form_is_refused_by_its_field() {
    let video = json!({ "type": "carousel", "body": "?", "cards": [
        { "header": { "type": "image", "id": "1" }, "display_text": "Go", "url": "https://a.example" },
        { "header": { "type": "video", "id": "1" }, "display_text": "Go", "url": "https://a.example" } ] });
    let other_buttons = template(json!({ "cards": [
        { "header": { "type": "image", "id": "1" }, "buttons": [{ "type": "url", "index": 0, "suffix": "a" }] },
        { "header": { "type": "image", "id": "1" }, "buttons": [{ "type": "quick_reply", "index": 0, "payload": "a" }] } ] }));
    for (field, content) in [
        (
            "link",
            json!({ "type": "image", "link": "ftp://a.example/b" }),
        ),
        (
            "link",
            json!({ "type": "image", "link": "https://a.example/b c" }),
        ),
        ("link", json!({ "type": "image", "link": "https://" })),
        ("id", json!({ "type": "sticker", "id": "1 2" })),
        ("body", json!({ "type": "text", "body": "a\0b" })),
        (
            "contacts[0].name.formatted_name",
            json!({ "type": "contacts", "contacts": [{ "name": { "formatted_name": "Ines" } }] }),
        ),
        (
            "emoji",
            json!({ "type": "reaction", "message_id": "wamid.A", "emoji": "ok" }),
        ),
        (
            "header.caption",
            cta(json!({ "header": { "type": "document", "id": "1", "caption": "x" } })),
        ),
        ("url", cta(json!({ "url": "shop.example" }))),
        (
            "country",
            json!({ "type": "address_message", "body": "?", "country": "GB" }),
        ),
        ("ttl_minutes", call(json!({ "ttl_minutes": 0 }))),
        ("cards[].header", video),
        (
            "cards[0].header",
            cards(2, &json!({ "header": { "type": "text", "text": "no" } })),
        ),
        ("name", template(json!({ "name": "Delivery" }))),
        ("language", template(json!({ "language": "en GB" }))),
        (
            "header.type",
            template(json!({ "header": { "type": "gif", "id": "1" } })),
        ),
        (
            "parameters",
            template_button(json!({ "type": "one_time_code", "index": 0 })),
        ),
        (
            "buttons[0].suffix",
            template_button(json!({ "type": "url", "index": 0, "suffix": "a b" })),
        ),
        (
            "parameters[0].format.currency.code",
            template(json!({ "parameters": [
            { "value": "1", "format": { "currency": { "code": "eur", "amount_1000": 1000 } } }] })),
        ),
        ("cards", other_buttons),
        (
            "cards[0].buttons",
            template_cards(
                2,
                &json!({ "buttons": [{ "type": "one_time_code", "index": 0 }] }),
            ),
        ),
    ] {
        refused(&content, "content_form", field);
    }
}

#[test]
fn what_must_differ_and_does_not_is_refused_by_its_field() {
    let two = |a: Value, b: Value| buttons(json!([a, b]));
    for (field, content) in [
        (
            "buttons[].title",
            two(
                json!({ "id": "a", "title": "A" }),
                json!({ "id": "b", "title": "A" }),
            ),
        ),
        (
            "buttons[].id",
            two(
                json!({ "id": "a", "title": "A" }),
                json!({ "id": "a", "title": "B" }),
            ),
        ),
        (
            "sections[].rows[].id",
            list(
                json!({ "sections": [{ "rows": [{ "id": "a", "title": "A" }, { "id": "a", "title": "B" }] }] }),
            ),
        ),
        (
            "products",
            json!({ "type": "product_carousel", "body": "?", "catalog_id": "1", "products": ["a", "a"] }),
        ),
        (
            "buttons[].index",
            template(json!({ "buttons": [
            { "type": "quick_reply", "index": 0, "payload": "a" }, { "type": "url", "index": 0, "suffix": "b" }] })),
        ),
    ] {
        refused(&content, "content_not_unique", field);
    }
}
