//! What is sent: every example of `docs/messages.md`, and the parts of templates that it has no room for.

use serde_json::{Value, json};
use vestibule::domain::OutboundContent;

/// As JSON.
pub fn samples() -> Vec<Value> {
    let page = include_str!("../../../docs/messages.md");
    let blocks = page.split("```json\n").skip(1);
    let json = blocks.filter_map(|rest| rest.split("```").next());
    let mut all: Vec<Value> = json
        .map(|json| serde_json::from_str(json).expect(json))
        .collect();
    for kind in OutboundContent::KINDS {
        assert!(
            all.iter().any(|sample| sample["type"] == *kind),
            "docs/messages.md has no example of {kind}"
        );
    }
    all.extend(more_templates());
    all
}

fn more_templates() -> [Value; 3] {
    let template = |name: &str, header: Value, buttons: Value| json!({ "type": "template", "name": name, "language": "en", "header": header, "buttons": buttons });
    [
        template(
            "come_by",
            json!({ "type": "location", "latitude": 51.5, "longitude": -0.12, "name": "Depot", "address": "1 Quay Rd" }),
            json!([{ "type": "voice_call", "index": 0, "ttl_minutes": 60 }]),
        ),
        template(
            "your_invoice",
            json!({ "type": "document", "link": "https://cdn.example/i.pdf", "filename": "i.pdf" }),
            json!([{ "type": "flow", "index": 0, "flow_token": "t-1", "data": { "invoice": "88" } }]),
        ),
        template(
            "this_chair",
            json!({ "type": "product", "catalog_id": "3300", "product_retailer_id": "SKU-1" }),
            json!([{ "type": "catalog", "index": 0, "thumbnail_product_retailer_id": "SKU-1" }]),
        ),
    ]
}
