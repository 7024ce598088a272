//! `plugin install` as operators run it: what must not go into service is refused in words, and what runs goes on.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule::domain::InstallationId;
use vestibule::simulator::Chat;
use vestibule_tests::process::said;
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests};

/// Runs `plugin install` for the first tenant and answers what it said when it refused.
async fn install(town: &Town, component: &[u8], more: &[&str]) -> Result<(), String> {
    let file = town.deployment.data_dir("upload").with_extension("wasm");
    std::fs::write(&file, component).expect("the component is written");
    let mut command = town.deployment.command("node");
    command
        .args(["plugin", "install"])
        .arg(&file)
        .args(["--tenant", &town.business.tenants[0]])
        .args(more);
    said(command).await.map(drop)
}

/// A component that says it is the next version of the plugin `echo`, with these parts.
fn next_echo(parts: &str) -> Vec<u8> {
    let manifest = r#"{"name":"echo","version":"9.0.0","abi":"0.1.0","interfaces":["auto-reply"]}"#;
    let wat = format!("(component {parts} (@custom \"vestibule:manifest\" {manifest:?}))");
    wat::parse_str(wat).expect("valid WAT")
}

const EXPORT: &str = r#"(export "vestibule:plugin/auto-reply@0.1.0" (instance $hook))"#;
const EMPTY_HOOK: &str = "(instance $hook)";

fn with_a_hook_of_another_shape() -> Vec<u8> {
    next_echo(&format!(
        r#"(core module $m (func (export "reply"))) (core instance $i (instantiate $m))
        (alias core export $i "reply" (core func $core))
        (func $reply (canon lift (core func $core)))
        (instance $hook (export "reply" (func $reply))) {EXPORT}"#
    ))
}

fn with_seventeen_tables() -> Vec<u8> {
    let tables = "(table 1 funcref)".repeat(17);
    next_echo(&format!(
        "(core module $m {tables}) (core instance (instantiate $m)) {EMPTY_HOOK} {EXPORT}"
    ))
}

fn with_code_in_a_nested_component() -> Vec<u8> {
    next_echo(&format!("(component (core module)) {EMPTY_HOOK} {EXPORT}"))
}

/// Functions that the compiler looks at for longer than their length says.
fn that_takes_minutes_to_compile() -> Vec<u8> {
    let step = "(local.set 0 (i32.add (local.get 0) (i32.mul (local.get 1) (i32.const 7))))
        (if (local.get 0) (then (local.set 1 (i32.xor (local.get 0) (local.get 1)))))";
    let body = step.repeat(600);
    let function = format!("(func (param i32 i32) (result i32) {body} (local.get 0))");
    let functions = function.repeat(400);
    next_echo(&format!("(core module {functions}) {EMPTY_HOOK} {EXPORT}"))
}

/// Says hello to the first tenant and waits until its plugin has echoed it.
async fn echoes(town: &Town) {
    let node = town.node("node").await;
    let number = &town.business.numbers[0].phone_number_id;
    let customer = town.meta.customer(number, "4915111111111").expect("one");
    customer.text("are you the same?").expect("sent");
    let echoed = |chat: &Chat| chat.texts().iter().any(|text| text.contains("the same"));
    customer
        .wait_for(Duration::from_secs(30), echoed)
        .await
        .expect("the old version answers");
    town.meta.webhooks_idle().await;
    node.end().await;
}

#[tokio::test]
async fn what_cannot_run_is_refused_in_words_and_the_old_version_answers() {
    for_each_database(async |database: TestDatabase| {
        let mut town = Town::without_plugin(&database).await;
        install(&town, guests::ECHO, &[]).await.expect("it runs");
        town.deployment = town.deployment.with("plugins.compile_cpu", "1s");
        let truncated = &guests::ECHO[..guests::ECHO.len() / 2];
        for (component, says) in [
            (
                b"no component at all".to_vec(),
                "not a WebAssembly component",
            ),
            (truncated.to_vec(), "not a WebAssembly component"),
            (with_a_hook_of_another_shape(), "do not match the contract"),
            (
                next_echo(&format!("{EMPTY_HOOK} {EXPORT}")),
                "has no function reply",
            ),
            (with_seventeen_tables(), "tables"),
            (
                with_code_in_a_nested_component(),
                "a module in a component within",
            ),
            (that_takes_minutes_to_compile(), "more than its CPU time"),
        ] {
            let said = install(&town, &component, &[]).await.expect_err(says);
            assert!(said.contains(says), "expected `{says}`: {said}");
        }
        let running = database
            .texts("SELECT plugin_version FROM installation_version WHERE stage = 'active'")
            .await;
        assert_eq!(running, ["0.1.0"]);
        echoes(&town).await;
    })
    .await;
}

#[tokio::test]
async fn a_ninth_plugin_on_a_number_is_refused_and_a_new_version_is_not() {
    for_each_database(async |database: TestDatabase| {
        let town = Town::without_plugin(&database).await;
        let number = town.business.numbers[0].phone_number_id.clone();
        let on_number = ["--number", number.as_str()];
        let everywhere: [&str; 0] = [];
        // The one is another version of `echo`, which has its place already.
        let plugins: Vec<_> = guests::ALL
            .iter()
            .filter(|(name, _)| *name != "echo_warmly")
            .collect();
        for (index, (_, component)) in plugins.iter().take(8).enumerate() {
            let more = if index < 4 {
                &on_number[..]
            } else {
                &everywhere[..]
            };
            install(&town, component, more)
                .await
                .expect("there is room");
        }
        let (_, ninth) = plugins[8];
        for more in [&on_number[..], &everywhere[..]] {
            let said = install(&town, ninth, more).await.expect_err("no room");
            assert!(said.contains("more than 8 on one number"), "{said}");
        }
        let (_, first) = plugins[0];
        install(&town, first, &on_number)
            .await
            .expect("in its own place");
        let running = database.count("SELECT COUNT(*) FROM installation WHERE state = 'active'");
        assert_eq!(running.await, 8);
    })
    .await;
}

#[tokio::test]
async fn all_that_is_wrong_with_an_installation_is_said_at_once() {
    for_each_database(async |database: TestDatabase| {
        let town = Town::without_plugin(&database).await;
        let wrong = [
            ["--grant", "moon"],
            ["--settings", "[]"],
            ["--bounds", r#"{"fault_percent": 200}"#],
            ["--number", "999"],
        ];
        let said = install(&town, guests::ECHO, wrong.as_flattened()).await;
        let said = said.expect_err("wrong");
        for problem in [
            "4 things are wrong",
            "fault_percent must be 0 to 100",
            "there is no number `999`",
            "the settings must be a JSON object",
            "moon",
        ] {
            assert!(said.contains(problem), "{problem}: {said}");
        }
        let kept = "SELECT COUNT(*) FROM component";
        assert_eq!(database.count(kept).await, 0, "nor is it uploaded");
    })
    .await;
}

#[tokio::test]
async fn an_installation_is_changed_in_place_and_its_grants_are_taken_away() {
    for_each_database(async |database: TestDatabase| {
        let town = Town::without_plugin(&database).await;
        let given = ["--grant", "kv", "--settings", r#"{"prefix": "< "}"#];
        install(&town, guests::ECHO, &given)
            .await
            .expect("installed");
        let id = database
            .texts("SELECT CAST(id AS TEXT) FROM installation")
            .await;
        let id = InstallationId::from_raw(id[0].parse().expect("a number")).to_string();
        let set = async |more: &[&str]| {
            let mut command = town.deployment.command("node");
            command.args(["plugin", "set", &id, "--json"]).args(more);
            said(command).await
        };
        let changed = set(&["--no-grants", "--position", "-3"])
            .await
            .expect("changed");
        let changed: Value = serde_json::from_str(&changed).expect("JSON");
        let active = &changed["active"];
        assert_eq!(
            (
                &changed["position"],
                &active["grants"],
                &active["settings"]["prefix"]
            ),
            (&json!(-3), &json!([]), &json!("< "))
        );
        let changed = set(&["--grant", "kv", "--settings", r#"{"prefix": "> "}"#]).await;
        let changed: Value = serde_json::from_str(&changed.expect("changed")).expect("JSON");
        let active = &changed["active"];
        assert_eq!(
            (
                &changed["position"],
                &active["grants"],
                &active["settings"]["prefix"]
            ),
            (&json!(-3), &json!(["kv"]), &json!("> "))
        );
        let refused = set(&["--grant", "moon"]).await.expect_err("not asked for");
        assert!(refused.contains("moon"), "{refused}");
        let nothing = set(&[]).await.expect_err("nothing");
        assert!(nothing.contains("nothing to change"), "{nothing}");
        let candidate = set(&["--candidate", "--no-grants"])
            .await
            .expect_err("none");
        assert!(candidate.contains("no such version"), "{candidate}");
    })
    .await;
}
