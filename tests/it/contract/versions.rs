//! Every released version of the contract runs, proven with a component that was built against it; and authors are told.

use std::fs;
use std::path::Path;

use serde_json::json;
use vestibule::plugin_host::{Abi, Ending, inspect};

use super::shape::{Shape, next, releases};
use crate::guests::stage::{Stage, fault};

/// `plugins/menu`, as it was when 0.1.0 was the contract.
const MENU_OF_0_1_0: &[u8] = include_bytes!("../../fixtures/components/menu-abi-0.1.0.wasm");

/// `plugins/menu`, as it was when 0.2.0 was.
const MENU_OF_0_2_0: &[u8] = include_bytes!("../../fixtures/components/menu-abi-0.2.0.wasm");

/// `plugins/menu`, as it was when 0.2.1 was.
const MENU_OF_0_2_1: &[u8] = include_bytes!("../../fixtures/components/menu-abi-0.2.1.wasm");

#[test]
fn the_host_runs_every_release_and_the_next_and_no_other() {
    let mut versions: Vec<String> = releases().into_iter().map(|(version, _)| version).collect();
    let (next, _) = next();
    if !versions.contains(&next) {
        versions.push(next);
    }
    let runs = Abi::ALL.iter().flat_map(|abi| abi.patches());
    assert_eq!(runs.copied().collect::<Vec<_>>(), versions);
}

#[tokio::test]
async fn components_of_earlier_versions_still_answer() {
    for (version, menu) in [
        ("0.1.0", MENU_OF_0_1_0),
        ("0.2.0", MENU_OF_0_2_0),
        ("0.2.1", MENU_OF_0_2_1),
    ] {
        assert_eq!(inspect(menu).expect("a plugin").manifest.abi, version);
        still_answers(menu).await;
    }
}

async fn still_answers(menu: &[u8]) {
    let stage = Stage::of(menu, json!({"style": "buttons"})).await;
    let report = stage.hears("hello").await;
    assert_eq!(fault(&report), None, "{:?}", report.calls);
    assert_eq!(report.ending, Ending::Answered);
    let kinds: Vec<&str> = report.effects.iter().map(|e| e.effect.kind()).collect();
    assert!(kinds.contains(&"buttons"), "{kinds:?}");
}

/// What a plugin reads is the turn's own: it can name no other conversation and no other person.
#[test]
fn no_read_takes_an_id() {
    let shape = Shape::read(&next().1);
    let is_read = |name: &&String| {
        ["window.", "contacts.", "conversation.", "templates."]
            .iter()
            .any(|interface| name.starts_with(interface))
    };
    let functions = shape
        .items
        .keys()
        .filter(is_read)
        .filter(|name| name.ends_with("()"));
    let takes: Vec<(&str, &str)> = functions
        .map(|name| {
            let (parameters, _) = shape.items[name].split_once(" -> ").expect("a function");
            (name.as_str(), parameters)
        })
        .filter(|(_, parameters)| !parameters.ends_with("func()"))
        .collect();
    let known = "method(self: borrow<known-template>)";
    assert_eq!(
        takes,
        [
            (
                "contacts.[method]contact.attribute()",
                "method(self: borrow<contact>, name: string)"
            ),
            (
                "contacts.[method]contact.attributes()",
                "method(self: borrow<contact>)"
            ),
            (
                "contacts.[method]contact.consent()",
                "method(self: borrow<contact>, purpose: purpose)"
            ),
            (
                "contacts.[method]contact.external-key()",
                "method(self: borrow<contact>)"
            ),
            (
                "contacts.[method]contact.id()",
                "method(self: borrow<contact>)"
            ),
            (
                "contacts.[method]contact.language()",
                "method(self: borrow<contact>)"
            ),
            ("conversation.recent()", "func(most: u32)"),
            ("templates.[method]known-template.buttons()", known),
            ("templates.[method]known-template.cards()", known),
            ("templates.[method]known-template.category()", known),
            ("templates.[method]known-template.has-offer()", known),
            ("templates.[method]known-template.header()", known),
            ("templates.[method]known-template.is-read()", known),
            ("templates.[method]known-template.key()", known),
            ("templates.[method]known-template.parameters()", known),
            ("templates.[method]known-template.quality()", known),
            ("templates.[method]known-template.status()", known),
            (
                "templates.choose-language()",
                "func(name: string, language: string)"
            ),
            ("templates.find()", "func(key: key)"),
            (
                "templates.search()",
                "func(filter: filter, after: option<key>, most: u32)"
            ),
        ]
    );
}

#[test]
fn authors_are_told_of_every_release() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/plugins.md");
    let docs = fs::read_to_string(docs).expect("docs/plugins.md");
    for (version, _) in releases() {
        assert!(docs.contains(&format!("`{version}`")), "{version}");
    }
}
