//! The table of facts §4.3, a row a limit: at the limit the gate clears, one beyond it refuses and names the field.

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

/// So many characters of two bytes each: code points count, not bytes.
fn chars(n: usize) -> String {
    "é".repeat(n)
}

fn ids(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("id-{n}")).collect()
}

fn buttons(buttons: Value) -> Value {
    json!({ "type": "buttons", "body": "?", "buttons": buttons })
}

fn button(id: &str, title: &str) -> Value {
    json!([{ "id": id, "title": title }])
}

fn list(with: Value) -> Value {
    let whole = json!({ "type": "list", "body": "?", "button": "open",
        "sections": [{ "rows": [{ "id": "a", "title": "A" }] }] });
    merged(whole, with)
}

fn rows(counts: &[usize]) -> Value {
    let mut ids = (0..).map(|n: usize| n.to_string());
    let sections: Vec<Value> = counts
        .iter()
        .map(|count| {
            let rows: Vec<Value> = ids
                .by_ref()
                .take(*count)
                .map(|id| json!({ "id": id, "title": "A" }))
                .collect();
            json!({ "title": "S", "rows": rows })
        })
        .collect();
    list(json!({ "sections": sections }))
}

fn row(with: Value) -> Value {
    let row = merged(json!({ "id": "a", "title": "A" }), with);
    list(json!({ "sections": [{ "rows": [row] }] }))
}

fn cta(with: Value) -> Value {
    let whole =
        json!({ "type": "cta_url", "body": "?", "display_text": "Go", "url": "https://a.example" });
    merged(whole, with)
}

fn flow(with: Value) -> Value {
    let whole =
        json!({ "type": "flow", "body": "?", "flow_id": "1", "flow_token": "t", "cta": "Go" });
    merged(whole, with)
}

fn call(with: Value) -> Value {
    merged(
        json!({ "type": "voice_call", "body": "?", "display_text": "Call" }),
        with,
    )
}

fn cards(n: usize, with: &Value) -> Value {
    let card = json!({ "header": { "type": "image", "id": "1" }, "display_text": "Go", "url": "https://a.example" });
    let cards = vec![merged(card, with.clone()); n];
    json!({ "type": "carousel", "body": "?", "cards": cards })
}

fn products(counts: &[usize]) -> Value {
    let section = |count: &usize| json!({ "title": "S", "products": ids(*count) });
    let sections: Vec<Value> = counts.iter().map(section).collect();
    product_list(json!({ "sections": sections }))
}

fn product_list(with: Value) -> Value {
    let whole = json!({ "type": "product_list", "header": "Menu", "body": "?", "catalog_id": "1",
        "sections": [{ "products": ["a"] }] });
    merged(whole, with)
}

fn contacts(n: usize) -> Value {
    let card = json!({ "name": { "formatted_name": "Ines", "first_name": "Ines" } });
    json!({ "type": "contacts", "contacts": vec![card; n] })
}

fn template(with: Value) -> Value {
    merged(
        json!({ "type": "template", "name": "t", "language": "en" }),
        with,
    )
}

fn body(value: &str) -> Value {
    json!({ "parameters": [{ "value": value }] })
}

fn template_button(button: Value) -> Value {
    template(json!({ "buttons": [button] }))
}

fn template_cards(n: usize, with: &Value) -> Value {
    let card = merged(
        json!({ "header": { "type": "image", "id": "1" } }),
        with.clone(),
    );
    template(json!({ "cards": vec![card; n] }))
}

fn merged(mut whole: Value, with: Value) -> Value {
    let (Some(whole_fields), Value::Object(with)) = (whole.as_object_mut(), with) else {
        panic!("two objects");
    };
    whole_fields.extend(with);
    whole
}

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

#[test]
fn no_variable_is_ever_sent_empty() {
    let parameters = |parameter: Value| template(json!({ "parameters": [parameter] }));
    for blank in ["", " ", "\u{a0}"] {
        let without = parameters(json!({ "value": blank }));
        refused(&without, "template_parameter_empty", "parameters[0].value");
        cleared(&parameters(json!({ "value": blank, "default": "there" })));
        let header = template(json!({ "header": { "type": "text", "value": blank } }));
        refused(&header, "template_parameter_empty", "header.value");
        let card = template_cards(2, &body(blank));
        refused(
            &card,
            "template_parameter_empty",
            "cards[0].parameters[0].value",
        );
    }
}

#[test]
fn parameters_are_of_one_style_and_named_once() {
    let mixed = |parameters: Value| {
        let content = template(json!({ "parameters": parameters }));
        refused(&content, "template_parameter_mix", "parameters");
    };
    mixed(json!([{ "name": "a", "value": "x" }, { "value": "y" }]));
    mixed(json!([{ "name": "a", "value": "x" }, { "name": "a", "value": "y" }]));
    mixed(json!([{ "name": "First Name", "value": "x" }]));
    mixed(json!([{ "name": "", "value": "x" }]));
    cleared(&template(
        json!({ "parameters": [{ "name": "first_name", "value": "x" }, { "name": "eta_2", "value": "y" }] }),
    ));
    let header = template(json!({
        "header": { "type": "text", "value": "x" }, "parameters": [{ "name": "a", "value": "x" }] }));
    refused(&header, "template_parameter_mix", "header.name");
    let mut card = template_cards(2, &body("x"));
    card["parameters"] = json!([{ "name": "a", "value": "x" }]);
    refused(&card, "template_parameter_mix", "cards[].parameters");
}

#[test]
fn a_parameter_is_one_line_with_few_spaces() {
    for bad in ["a\nb", "a\tb", "a\rb", "a     b"] {
        let value = template(body(bad));
        refused(&value, "template_parameter_text", "parameters[0].value");
        let default = template(json!({ "parameters": [{ "value": "", "default": bad }] }));
        refused(&default, "template_parameter_text", "parameters[0].default");
    }
    cleared(&template(body("a    b")));
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
