//! Every released version of the contract runs, proven with a component that was built against it; and authors are told.

use std::fs;
use std::path::Path;

use serde_json::json;
use vestibule::plugin_host::{Abi, Ending, inspect};

use super::shape::{next, releases};
use crate::guests::stage::{Stage, fault};

/// `plugins/menu`, as it was when 0.1.0 was the contract.
const MENU_OF_0_1_0: &[u8] = include_bytes!("../../fixtures/components/menu-abi-0.1.0.wasm");

#[test]
fn the_host_runs_every_release_and_no_other() {
    let released: Vec<String> = releases().into_iter().map(|(version, _)| version).collect();
    let runs: Vec<&str> = Abi::ALL
        .iter()
        .flat_map(|abi| abi.patches())
        .copied()
        .collect();
    // And what will be the next one.
    let (version, _) = next();
    let unreleased = (!released.contains(&version)).then_some(version);
    assert_eq!(runs, [released, unreleased.into_iter().collect()].concat());
}

#[tokio::test]
async fn a_component_of_0_1_0_still_answers() {
    assert_eq!(
        inspect(MENU_OF_0_1_0).expect("a plugin").manifest.abi,
        "0.1.0"
    );
    let stage = Stage::of(MENU_OF_0_1_0, json!({"style": "buttons"})).await;
    let report = stage.hears("hello").await;
    assert_eq!(fault(&report), None, "{:?}", report.calls);
    assert_eq!(report.ending, Ending::Answered);
    let kinds: Vec<&str> = report.effects.iter().map(|e| e.effect.kind()).collect();
    assert!(kinds.contains(&"buttons"), "{kinds:?}");
}

#[test]
fn authors_are_told_of_every_release() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/plugins.md");
    let docs = fs::read_to_string(docs).expect("docs/plugins.md");
    for (version, _) in releases() {
        assert!(docs.contains(&format!("`{version}`")), "{version}");
    }
}
