//! The table of facts §4.3, a row a limit: at the limit the gate clears, one beyond it refuses and names the field.

use serde_json::{Value, json};

use super::contents::*;
use super::{cleared, refused};

/// A content with a text of this length, or with so many of something.
type Sized = fn(usize) -> Value;

const TOO_LONG: &str = "content_too_long";
const COUNT: &str = "content_count";

/// The field, its limit, what the limit's breach is called, and contents of a size.
const MOST: &[(&str, usize, &str, Sized)] = &[
    (
        "body",
        4096,
        TOO_LONG,
        |n| json!({ "type": "text", "body": chars(n) }),
    ),
    (
        "caption",
        1024,
        TOO_LONG,
        |n| json!({ "type": "image", "id": "1", "caption": chars(n) }),
    ),
    (
        "caption",
        1024,
        TOO_LONG,
        |n| json!({ "type": "video", "id": "1", "caption": chars(n) }),
    ),
    (
        "caption",
        1024,
        TOO_LONG,
        |n| json!({ "type": "document", "id": "1", "caption": chars(n) }),
    ),
    ("body", 1024, TOO_LONG, |n| {
        merged(buttons(button("a", "A")), json!({ "body": chars(n) }))
    }),
    ("body", 4096, TOO_LONG, |n| {
        list(json!({ "body": chars(n) }))
    }),
    ("body", 1024, TOO_LONG, |n| cta(json!({ "body": chars(n) }))),
    ("body", 1024, TOO_LONG, |n| {
        flow(json!({ "body": chars(n) }))
    }),
    ("body", 1024, TOO_LONG, |n| {
        call(json!({ "body": chars(n) }))
    }),
    (
        "body",
        1024,
        TOO_LONG,
        |n| json!({ "type": "location_request_message", "body": chars(n) }),
    ),
    (
        "body",
        1024,
        TOO_LONG,
        |n| json!({ "type": "request_contact_info", "body": chars(n) }),
    ),
    (
        "body",
        1024,
        TOO_LONG,
        |n| json!({ "type": "call_permission_request", "body": chars(n) }),
    ),
    (
        "body",
        1024,
        TOO_LONG,
        |n| json!({ "type": "address_message", "country": "IN", "body": chars(n) }),
    ),
    (
        "body",
        1024,
        TOO_LONG,
        |n| json!({ "type": "product", "catalog_id": "1", "product_retailer_id": "a", "body": chars(n) }),
    ),
    (
        "footer",
        60,
        TOO_LONG,
        |n| json!({ "type": "product", "catalog_id": "1", "product_retailer_id": "a", "footer": chars(n) }),
    ),
    ("body", 1024, TOO_LONG, |n| {
        product_list(json!({ "body": chars(n) }))
    }),
    (
        "body",
        1024,
        TOO_LONG,
        |n| json!({ "type": "catalog_message", "body": chars(n) }),
    ),
    (
        "footer",
        60,
        TOO_LONG,
        |n| json!({ "type": "catalog_message", "body": "?", "footer": chars(n) }),
    ),
    ("body", 1024, TOO_LONG, |n| {
        merged(cards(2, &json!({})), json!({ "body": chars(n) }))
    }),
    (
        "body",
        1024,
        TOO_LONG,
        |n| json!({ "type": "product_carousel", "catalog_id": "1", "products": ["a", "b"], "body": chars(n) }),
    ),
    ("header.text", 60, TOO_LONG, |n| {
        cta(json!({ "header": { "type": "text", "text": chars(n) } }))
    }),
    ("header.text", 60, TOO_LONG, |n| {
        flow(json!({ "header": { "type": "text", "text": chars(n) } }))
    }),
    ("header.text", 60, TOO_LONG, |n| {
        merged(
            buttons(button("a", "A")),
            json!({ "header": { "type": "text", "text": chars(n) } }),
        )
    }),
    ("header", 60, TOO_LONG, |n| {
        list(json!({ "header": chars(n) }))
    }),
    ("header", 60, TOO_LONG, |n| {
        product_list(json!({ "header": chars(n) }))
    }),
    ("footer", 60, TOO_LONG, |n| {
        merged(buttons(button("a", "A")), json!({ "footer": chars(n) }))
    }),
    ("footer", 60, TOO_LONG, |n| {
        list(json!({ "footer": chars(n) }))
    }),
    ("footer", 60, TOO_LONG, |n| {
        cta(json!({ "footer": chars(n) }))
    }),
    ("footer", 60, TOO_LONG, |n| {
        flow(json!({ "footer": chars(n) }))
    }),
    ("footer", 60, TOO_LONG, |n| {
        product_list(json!({ "footer": chars(n) }))
    }),
    ("buttons", 3, COUNT, |n| {
        buttons(
            ids(n)
                .iter()
                .map(|id| json!({ "id": id, "title": id }))
                .collect(),
        )
    }),
    ("buttons[0].title", 20, TOO_LONG, |n| {
        buttons(button("a", &chars(n)))
    }),
    ("buttons[0].id", 256, TOO_LONG, |n| {
        buttons(button(&chars(n), "A"))
    }),
    ("button", 20, TOO_LONG, |n| {
        list(json!({ "button": chars(n) }))
    }),
    ("sections", 10, COUNT, |n| rows(&vec![1; n])),
    ("sections[].rows", 10, COUNT, |n| rows(&[5, n - 5])),
    ("sections[0].title", 24, TOO_LONG, |n| {
        list(json!({ "sections": [{ "title": chars(n), "rows": [{ "id": "a", "title": "A" }] }] }))
    }),
    ("sections[0].rows[0].id", 200, TOO_LONG, |n| {
        row(json!({ "id": chars(n) }))
    }),
    ("sections[0].rows[0].title", 24, TOO_LONG, |n| {
        row(json!({ "title": chars(n) }))
    }),
    ("sections[0].rows[0].description", 72, TOO_LONG, |n| {
        row(json!({ "description": chars(n) }))
    }),
    ("display_text", 20, TOO_LONG, |n| {
        cta(json!({ "display_text": chars(n) }))
    }),
    ("cta", 20, TOO_LONG, |n| flow(json!({ "cta": chars(n) }))),
    ("display_text", 20, TOO_LONG, |n| {
        call(json!({ "display_text": chars(n) }))
    }),
    ("payload", 512, TOO_LONG, |n| {
        call(json!({ "payload": chars(n) }))
    }),
    ("ttl_minutes", 43_200, "content_form", |n| {
        call(json!({ "ttl_minutes": n }))
    }),
    ("cards", 10, COUNT, |n| cards(n, &json!({}))),
    ("cards[0].body", 160, TOO_LONG, |n| {
        cards(2, &json!({ "body": chars(n) }))
    }),
    ("cards[0].body", 2, "content_form", |n| {
        cards(2, &json!({ "body": format!("a{}", "\nb".repeat(n)) }))
    }),
    ("cards[0].display_text", 20, TOO_LONG, |n| {
        cards(2, &json!({ "display_text": chars(n) }))
    }),
    (
        "products",
        10,
        COUNT,
        |n| json!({ "type": "product_carousel", "catalog_id": "1", "products": ids(n), "body": "?" }),
    ),
    ("sections", 10, COUNT, |n| products(&vec![1; n])),
    ("sections[].products", 30, COUNT, |n| {
        products(&[15, n - 15])
    }),
    ("sections[0].title", 24, TOO_LONG, |n| {
        product_list(json!({ "sections": [{ "title": chars(n), "products": ["a"] }] }))
    }),
    ("contacts", 257, COUNT, contacts),
    (
        "emoji",
        16,
        TOO_LONG,
        |n| json!({ "type": "reaction", "message_id": "wamid.A", "emoji": "👍".repeat(n) }),
    ),
    ("name", 512, TOO_LONG, |n| {
        template(json!({ "name": "t".repeat(n) }))
    }),
    (
        "parameters[0].value",
        1024,
        "template_parameter_too_long",
        |n| template(body(&chars(n))),
    ),
    (
        "parameters[0].value",
        600,
        "template_parameter_too_long",
        |n| {
            merged(
                template(body(&chars(n))),
                json!({ "limited_time_offer": { "expires_at": 4_102_444_800_000_i64 } }),
            )
        },
    ),
    ("header.value", 60, "template_parameter_too_long", |n| {
        template(json!({ "header": { "type": "text", "value": chars(n) } }))
    }),
    ("parameters[0].value", 15, "template_parameter_text", |n| {
        merged(
            template_button(json!({ "type": "one_time_code", "index": 0 })),
            body(&"7".repeat(n)),
        )
    }),
    ("buttons[0].coupon_code", 20, TOO_LONG, |n| {
        template_button(json!({ "type": "copy_code", "index": 0, "coupon_code": chars(n) }))
    }),
    ("buttons", 10, COUNT, |n| {
        template(
            json!({ "buttons": (0..n).map(|index| json!({ "type": "quick_reply", "index": index % 10, "payload": "p" })).collect::<Vec<_>>() }),
        )
    }),
    ("buttons[0].index", 9, "content_form", |n| {
        template_button(json!({ "type": "quick_reply", "index": n, "payload": "p" }))
    }),
    ("buttons[0].suffix", 2000, TOO_LONG, |n| {
        template_button(json!({ "type": "url", "index": 0, "suffix": "s".repeat(n) }))
    }),
    ("buttons[0].payload", 256, TOO_LONG, |n| {
        template_button(json!({ "type": "quick_reply", "index": 0, "payload": chars(n) }))
    }),
    ("buttons[0].payload", 512, TOO_LONG, |n| {
        template_button(json!({ "type": "voice_call", "index": 0, "payload": chars(n) }))
    }),
    ("buttons[0].sections[].products", 30, COUNT, |n| {
        template_button(
            json!({ "type": "multi_product", "index": 0, "thumbnail_product_retailer_id": "a", "sections": [{ "title": "S", "products": ids(n) }] }),
        )
    }),
    ("cards", 10, COUNT, |n| template_cards(n, &json!({}))),
    (
        "cards[0].parameters[0].value",
        160,
        "template_parameter_too_long",
        |n| template_cards(2, &body(&chars(n))),
    ),
];

#[test]
fn each_limit_holds_and_one_beyond_it_is_refused_by_its_field() {
    for (field, most, reason, sized) in MOST {
        cleared(&sized(*most));
        refused(&sized(most + 1), reason, field);
    }
}

/// The fewest of something, and contents with that many.
const LEAST: &[(&str, usize, Sized)] = &[
    ("buttons", 1, |n| {
        buttons(
            ids(n)
                .iter()
                .map(|id| json!({ "id": id, "title": id }))
                .collect(),
        )
    }),
    ("sections", 1, |n| rows(&vec![1; n])),
    ("sections[1].rows", 1, |n| rows(&[1, n])),
    ("cards", 2, |n| cards(n, &json!({}))),
    (
        "products",
        2,
        |n| json!({ "type": "product_carousel", "catalog_id": "1", "products": ids(n), "body": "?" }),
    ),
    ("sections", 1, |n| products(&vec![1; n])),
    ("sections[1].products", 1, |n| products(&[1, n])),
    ("contacts", 1, contacts),
    ("cards", 2, |n| template_cards(n.max(1), &json!({}))),
];

#[test]
fn each_least_count_holds_and_one_below_it_is_refused_by_its_field() {
    for (field, least, sized) in LEAST {
        cleared(&sized(*least));
        refused(&sized(least - 1), COUNT, field);
    }
}
