//! What is sent: every example of `docs/messages.md`.

use serde_json::Value;
use vestibule::domain::OutboundContent;

/// Examples that the simulator cannot take yet, by kind, or by name of the template.
const NOT_YET: &[&str] = &["spring_news"];

/// The examples, as JSON.
pub fn samples() -> Vec<Value> {
    let page = include_str!("../../../docs/messages.md");
    let blocks = page.split("```json\n").skip(1);
    let json = blocks.filter_map(|rest| rest.split("```").next());
    let all: Vec<Value> = json
        .map(|json| serde_json::from_str(json).expect(json))
        .collect();
    for kind in OutboundContent::KINDS {
        assert!(
            all.iter().any(|sample| sample["type"] == *kind),
            "docs/messages.md has no example of {kind}"
        );
    }
    let known = |sample: &Value| {
        let waits = |word: &&str| sample["type"] == **word || sample["name"] == **word;
        !NOT_YET.iter().any(|word| waits(&word))
    };
    all.into_iter().filter(known).collect()
}
