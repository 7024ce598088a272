//! What an author of plugins types before there is anything to upload: a new plugin, built, its own test, an upload.

mod desk;
mod run;
mod test;

use serde_json::Value;
use vestibule_tests::guests;

use desk::{Desk, run, succeeded};

#[tokio::test]
async fn a_new_plugin_is_built_tested_and_uploaded() {
    let desk = Desk::new();
    let said = succeeded(&desk.plugin("", &["new", "greeter"]).await);
    assert!(said.contains("vestibule plugin run"), "{said}");
    desk.pin("greeter");

    let built = succeeded(
        &desk
            .plugin("greeter", &["build", "--json", "--out", "greeter.wasm"])
            .await,
    );
    let built: Value = serde_json::from_str(&built).expect("JSON");
    assert_eq!(built["interfaces"], serde_json::json!(["auto-reply"]));

    let mut test = tokio::process::Command::new("cargo");
    test.env_clear().arg("test");
    succeeded(&run(test, &desk.at("greeter")).await);

    let run = async |arguments: &[&str]| desk.deployment.run("node", arguments, &[]).await;
    run(&["migrate"]).await;
    run(&["tenant", "add", "acme"]).await;
    let file = desk.at("greeter/greeter.wasm");
    let pushed = run(&[
        "plugin",
        "push",
        file.to_str().expect("UTF-8"),
        "--tenant",
        "acme",
    ])
    .await;
    let digest = built["digest"].as_str().expect("a digest");
    assert!(pushed.contains(digest), "{pushed}");
}

#[tokio::test]
async fn a_library_with_a_name_of_its_own_is_built_too() {
    let desk = Desk::new();
    desk.begin("robin").await;
    desk.edit("robin/Cargo.toml", "[lib]", "[lib]\nname = \"red_breast\"");
    let said = succeeded(
        &desk
            .plugin("robin", &["build", "--out", "robin.wasm"])
            .await,
    );
    assert!(said.contains("robin 0.1.0"), "{said}");
}

#[tokio::test]
async fn what_another_tool_compiled_becomes_a_plugin_by_a_manifest() {
    let desk = Desk::new();
    // A component as other tools leave it: without a manifest.
    let bare = without_manifest(guests::ECHO);
    std::fs::write(desk.at("app.wasm"), &bare).expect("written");
    let error = desk.refused(&["build", "app.wasm"]).await;
    assert!(error.contains("plugin.toml"), "{error}");

    let manifest =
        "name = \"other\"\nversion = \"1.0.0\"\nabi = \"0.1.0\"\ninterfaces = [\"routing\"]\n";
    std::fs::write(desk.at("plugin.toml"), manifest).expect("written");
    let error = desk.refused(&["build", "app.wasm"]).await;
    assert!(error.contains("a gateway would refuse it:\n  "), "{error}");
    assert!(!desk.at("other.wasm").exists());

    let newest = vestibule::plugin_host::Abi::NEWEST.version();
    let manifest = manifest
        .replace("0.1.0", newest)
        .replace("routing", "auto-reply");
    std::fs::write(desk.at("plugin.toml"), manifest).expect("written");
    let said = succeeded(&desk.plugin("", &["build", "app.wasm"]).await);
    assert!(said.contains("other 1.0.0"), "{said}");
    let component = std::fs::read(desk.at("other.wasm")).expect("built");
    let inspection = vestibule::plugin_host::inspect(&component).expect("a plugin");
    assert_eq!(inspection.manifest.name, "other");

    // It has one now.
    let error = desk
        .refused(&["build", "other.wasm", "--out", "twice.wasm"])
        .await;
    assert!(error.contains("manifest"), "{error}");
    let error = desk
        .refused(&["build", "app.wasm", "--out", "app.wasm"])
        .await;
    assert!(error.contains("--out"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_begun_or_built_is_told() {
    let desk = Desk::new();
    let error = desk.refused(&["new", "Greeter"]).await;
    assert!(error.contains("lower-case"), "{error}");
    let error = desk.refused(&["new", "greeter", "--sdk", "nowhere"]).await;
    assert!(error.contains("--sdk"), "{error}");
    assert!(!desk.at("greeter").exists());
    std::fs::create_dir(desk.at("greeter")).expect("a folder");
    let error = desk.refused(&["new", "greeter"]).await;
    assert!(error.contains("greeter"), "{error}");
    let error = desk.refused(&["build", "greeter"]).await;
    assert!(error.contains("no Cargo.toml"), "{error}");
    let error = desk.refused(&["build", "nothing.wasm"]).await;
    assert!(error.contains("cannot read nothing.wasm"), "{error}");
}

/// The component without its last section, which is the manifest.
fn without_manifest(component: &[u8]) -> Vec<u8> {
    let sections = wasmparser::Parser::new(0).parse_all(component);
    let manifest = sections.filter_map(|section| match section.expect("valid") {
        wasmparser::Payload::CustomSection(section) if section.name() == "vestibule:manifest" => {
            Some(section.range())
        }
        _ => None,
    });
    let range = manifest.last().expect("every guest has one");
    assert_eq!(range.end, component.len());
    // The section's identifier and its length stand before what it holds.
    let length = leb_length(range.len());
    component[..range.start - length - 1].to_vec()
}

fn leb_length(mut value: usize) -> usize {
    let mut bytes = 1;
    while value > 127 {
        value >>= 7;
        bytes += 1;
    }
    bytes
}
