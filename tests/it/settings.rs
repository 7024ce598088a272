//! Settings of an installation against the schema in the plugin's manifest, as operators meet it: what does not fit is
//! refused in words before anything changes, and a hostile schema costs nobody more than a short-lived process.

use std::net::TcpListener;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use vestibule::plugin_host::{CompileLimits, Compiler, Manifest, SettingsError, inspect};
use vestibule::reference_plugins;
use vestibule_tests::process::said;
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database};

/// Runs `plugin install reference:menu` for the first tenant: what it printed, or what it said when it refused.
async fn install(town: &Town, settings: &Value) -> Result<String, String> {
    let mut command = town.deployment.command("node");
    command
        .args(["plugin", "install", "reference:menu", "--grant", "kv"])
        .args(["--tenant", &town.business.tenants[0]])
        .args(["--settings", &settings.to_string()]);
    said(command).await
}

#[tokio::test]
async fn what_does_not_fit_is_refused_whole_and_nothing_changes() {
    for_each_database(async |database: TestDatabase| {
        let town = Town::without_plugin(&database).await;
        let shown = install(&town, &json!({"style": "buttons"})).await;
        // What the plugin gets to see is shown: with the schema's defaults.
        assert!(shown.expect("it fits").contains("Write *menu* to see"));
        let everything = "SELECT i.state || ' ' || v.config || ' ' || CAST(i.generation AS TEXT) FROM installation i
            JOIN installation_version v ON v.installation = i.id";
        let before = database.texts(everything).await;
        let stored: Value = stored_config(&database).await;
        assert_eq!(stored["style"], "buttons");
        assert_eq!(stored["back_words"], json!(["back"]));

        let wrong = json!({
            "stile": "text",
            "list_button": "far more than twenty characters",
            "menu": {"title": "?", "items": [{"key": "1", "title": "a"}, {"title": "b", "reply": "c"}]},
        });
        let said = install(&town, &wrong).await.expect_err("it does not fit");
        for line in [
            "/stile: there is no such setting",
            "/list_button: must have at most 20 characters, not 31",
            "/menu/items/0: fits none of the alternatives",
            "/menu/items/1: lacks `key`",
        ] {
            assert!(said.contains(line), "{line}: {said}");
        }
        assert_eq!(database.texts(everything).await, before);
        let components = database.count("SELECT COUNT(*) FROM component");
        assert_eq!(components.await, 1);
    })
    .await;
}

async fn stored_config(database: &TestDatabase) -> Value {
    let configs = database.texts("SELECT config FROM installation_version WHERE stage = 'active'");
    serde_json::from_str(&configs.await[0]).expect("JSON")
}

/// What a plugin's README shows in JSON.
fn example(plugin: &str) -> Value {
    let folder = env!("CARGO_MANIFEST_DIR");
    let readme = std::fs::read_to_string(format!("{folder}/../plugins/{plugin}/README.md"));
    let readme = readme.expect("a README");
    let (_, rest) = readme.split_once("```json").expect("an example");
    let (json, _) = rest.split_once("```").expect("its end");
    serde_json::from_str(json).expect("JSON")
}

#[tokio::test]
async fn the_example_of_every_reference_plugin_fits_its_schema() {
    for (name, component) in reference_plugins::ALL {
        let manifest = inspect(component).expect("a plugin").manifest;
        let Value::Object(settings) = example(name) else {
            panic!("settings are an object");
        };
        let filled = compiler().check_settings(&manifest, settings.clone()).await;
        let filled = filled.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(settings.keys().all(|key| filled.contains_key(key)));
    }
}

fn compiler() -> Compiler {
    let exe = PathBuf::from(env!("CARGO_BIN_EXE_vestibule-under-test"));
    Compiler::new(exe, CompileLimits::default())
}

/// A manifest with this schema, read as an upload's.
fn manifest(schema: &Value) -> Manifest {
    let manifest = json!({
        "name": "hostile", "version": "1.0.0", "abi": "0.1.0", "interfaces": ["auto-reply"],
        "config_schema": schema,
    });
    Manifest::parse(manifest.to_string().as_bytes()).expect("a manifest")
}

async fn check(schema: &Value, settings: Value) -> Result<Map<String, Value>, SettingsError> {
    let Value::Object(settings) = settings else {
        panic!("settings are an object");
    };
    compiler().check_settings(&manifest(schema), settings).await
}

/// `$defs` from `a0` to the last, each made of a reference to the next one.
fn chain(length: usize, link: impl Fn(Value) -> Value) -> Value {
    let next = |n: usize| json!({"$ref": format!("#/$defs/a{n}")});
    let defs: Map<String, Value> = (0..length)
        .map(|n| (format!("a{n}"), link(next(n + 1))))
        .chain([(format!("a{length}"), json!({"type": "object"}))])
        .collect();
    json!({"$ref": "#/$defs/a0", "$defs": defs})
}

#[tokio::test]
async fn references_that_double_run_out_of_time() {
    let bomb = chain(40, |next| json!({"anyOf": [{"not": next}, next]}));
    let error = check(&bomb, json!({})).await.expect_err("too much");
    assert!(matches!(error, SettingsError::TooMuch(_)), "{error}");
    assert!(error.is_refusal());
}

#[tokio::test]
async fn problems_that_double_run_out_of_memory_or_time() {
    let mut bomb = chain(40, |next| json!({"allOf": [next, next, next]}));
    bomb["$defs"]["a40"] = json!({"required": ["x"]});
    let error = check(&bomb, json!({})).await.expect_err("too much");
    assert!(matches!(error, SettingsError::TooMuch(_)), "{error}");
}

#[tokio::test]
async fn a_chain_of_references_as_long_as_a_manifest_can_have_is_followed() {
    let long = chain(1_500, |next| next);
    check(&long, json!({})).await.expect("it fits");
}

#[tokio::test]
async fn a_schema_deeper_than_the_stack_is_refused() {
    // Every level of the settings goes through the whole chain once more.
    let mut deep = chain(1_200, |next| next);
    deep["$defs"]["a1200"] = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/a0"}}});
    let mut settings = json!({});
    for _ in 0..120 {
        settings = json!({"a": settings});
    }
    let error = check(&deep, settings).await.expect_err("too deep");
    assert!(matches!(error, SettingsError::TooMuch(_)), "{error}");
}

#[tokio::test]
async fn a_pattern_that_backtracks_elsewhere_takes_linear_time_here() {
    let schema = json!({"properties": {"a": {"pattern": "^(([a-z])+.)+[A-Z]([a-z])+$"}}});
    let error = check(&schema, json!({"a": "a".repeat(100_000)})).await;
    let error = error.expect_err("it does not match");
    assert!(matches!(error, SettingsError::Misfit(_)), "{error}");
}

#[tokio::test]
async fn a_huge_pattern_is_a_mistake_of_the_schema() {
    for pattern in ["((a{1000}){1000}){1000}", "(?=a)b", "["] {
        let schema = json!({"properties": {"a": {"pattern": pattern}}});
        let error = check(&schema, json!({})).await.expect_err("no pattern");
        let SettingsError::Schema(problems) = &error else {
            panic!("{error}");
        };
        assert_eq!(problems[0].pointer, "/properties/a/pattern", "{error}");
    }
}

#[tokio::test]
async fn nothing_is_ever_fetched() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let here = listener.local_addr().expect("an address");
    for address in [
        format!("http://{here}/schema.json"),
        format!("https://{here}/schema.json"),
        "file:///etc/hostname".to_owned(),
        "//127.0.0.1/schema.json".to_owned(),
    ] {
        for schema in [
            json!({"properties": {"a": {"$ref": address}}}),
            json!({"$schema": address}),
            json!({"$id": address, "$ref": "other.json"}),
            json!({"$id": address, "$dynamicRef": "other.json#x"}),
        ] {
            let error = check(&schema, json!({"a": 1})).await.expect_err("refused");
            assert!(
                matches!(error, SettingsError::Schema(_)),
                "{schema}: {error}"
            );
            assert!(error.to_string().contains("nothing is fetched"), "{error}");
        }
    }
    let nobody = listener.accept().expect_err("nobody called");
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn settings_beyond_their_size_are_not_even_looked_at() {
    let nothing = Compiler::new("/nonexistent".into(), CompileLimits::default());
    let settings = Map::from_iter([("a".to_owned(), json!("x".repeat(256 << 10)))]);
    for schema in [json!({}), json!(null)] {
        let manifest = manifest(&schema);
        let error = nothing.check_settings(&manifest, settings.clone()).await;
        assert!(matches!(error, Err(SettingsError::TooLarge)), "{error:?}");
    }
}
