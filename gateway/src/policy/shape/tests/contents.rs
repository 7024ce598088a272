//! Contents to spoil: each is fine as it stands, and takes the field that a test is about.

use serde_json::{Value, json};

/// So many characters of two bytes each: code points count, not bytes.
pub(super) fn chars(n: usize) -> String {
    "é".repeat(n)
}

pub(super) fn ids(n: usize) -> Vec<String> {
    (0..n).map(|n| format!("id-{n}")).collect()
}

pub(super) fn buttons(buttons: Value) -> Value {
    json!({ "type": "buttons", "body": "?", "buttons": buttons })
}

pub(super) fn button(id: &str, title: &str) -> Value {
    json!([{ "id": id, "title": title }])
}

pub(super) fn list(with: Value) -> Value {
    let whole = json!({ "type": "list", "body": "?", "button": "open",
        "sections": [{ "rows": [{ "id": "a", "title": "A" }] }] });
    merged(whole, with)
}

pub(super) fn rows(counts: &[usize]) -> Value {
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

pub(super) fn row(with: Value) -> Value {
    let row = merged(json!({ "id": "a", "title": "A" }), with);
    list(json!({ "sections": [{ "rows": [row] }] }))
}

pub(super) fn cta(with: Value) -> Value {
    let whole =
        json!({ "type": "cta_url", "body": "?", "display_text": "Go", "url": "https://a.example" });
    merged(whole, with)
}

pub(super) fn flow(with: Value) -> Value {
    let whole =
        json!({ "type": "flow", "body": "?", "flow_id": "1", "flow_token": "t", "cta": "Go" });
    merged(whole, with)
}

pub(super) fn call(with: Value) -> Value {
    merged(
        json!({ "type": "voice_call", "body": "?", "display_text": "Call" }),
        with,
    )
}

pub(super) fn cards(n: usize, with: &Value) -> Value {
    let card = json!({ "header": { "type": "image", "id": "1" }, "display_text": "Go", "url": "https://a.example" });
    let cards = vec![merged(card, with.clone()); n];
    json!({ "type": "carousel", "body": "?", "cards": cards })
}

pub(super) fn products(counts: &[usize]) -> Value {
    let section = |count: &usize| json!({ "title": "S", "products": ids(*count) });
    let sections: Vec<Value> = counts.iter().map(section).collect();
    product_list(json!({ "sections": sections }))
}

pub(super) fn product_list(with: Value) -> Value {
    let whole = json!({ "type": "product_list", "header": "Menu", "body": "?", "catalog_id": "1",
        "sections": [{ "products": ["a"] }] });
    merged(whole, with)
}

pub(super) fn contacts(n: usize) -> Value {
    let card = json!({ "name": { "formatted_name": "Ines", "first_name": "Ines" } });
    json!({ "type": "contacts", "contacts": vec![card; n] })
}

pub(super) fn template(with: Value) -> Value {
    merged(
        json!({ "type": "template", "name": "t", "language": "en" }),
        with,
    )
}

pub(super) fn body(value: &str) -> Value {
    json!({ "parameters": [{ "value": value }] })
}

pub(super) fn template_button(button: Value) -> Value {
    template(json!({ "buttons": [button] }))
}

pub(super) fn template_cards(n: usize, with: &Value) -> Value {
    let card = merged(
        json!({ "header": { "type": "image", "id": "1" } }),
        with.clone(),
    );
    template(json!({ "cards": vec![card; n] }))
}

pub(super) fn merged(mut whole: Value, with: Value) -> Value {
    let (Some(whole_fields), Value::Object(with)) = (whole.as_object_mut(), with) else {
        panic!("two objects");
    };
    whole_fields.extend(with);
    whole
}
