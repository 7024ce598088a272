//! `vestibule plugin test`: ready to be pushed, or everything that is in the way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use super::desk::{Desk, succeeded};

#[tokio::test]
async fn a_plugin_is_ready_when_its_tests_pass_and_a_gateway_would_take_it() {
    let desk = Desk::new();
    desk.begin("ready").await;
    let said = succeeded(&desk.plugin("ready", &["test"]).await);
    assert!(
        said.contains("test tests::a_customer_is_greeted ... ok"),
        "{said}"
    );
    assert!(
        said.contains("its tests pass, and a gateway would take it"),
        "{said}"
    );

    let verdict = desk
        .plugin("", &["test", "ready", "--json", "--", "--quiet"])
        .await;
    let verdict: Value = serde_json::from_str(&succeeded(&verdict)).expect("one object");
    assert_eq!(verdict["tests"], "passed");
    assert_eq!(verdict["problems"], json!([]));

    // A signature is of what was built.
    let file = verdict["built"]["file"].as_str().expect("a file");
    let component = std::fs::read(file).expect("it is there");
    let key = |seed| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key");
    std::fs::write(desk.at("ready.sig"), key(7).sign(&component)).expect("written");
    let signed = async |public: Ed25519KeyPair| {
        let public = STANDARD.encode(public.public_key());
        let arguments = [
            "test",
            "ready",
            "--signature",
            "ready.sig",
            "--key",
            "ci",
            "--public-key",
            &public,
        ];
        desk.plugin("", &arguments).await
    };
    succeeded(&signed(key(7)).await);
    let other = signed(key(8)).await;
    let error = String::from_utf8_lossy(&other.stderr);
    assert_eq!(other.status.code(), Some(1), "{error}");
    assert!(
        error.contains("not ready to be pushed:\n  the signature"),
        "{error}"
    );
}

#[tokio::test]
async fn everything_that_is_in_the_way_is_told_at_once() {
    let desk = Desk::new();
    desk.begin("unready").await;
    let source = "unready/src/lib.rs";
    desk.edit(source, "Hello! You said: hi", "Hello! You said: ho");
    let error = desk.refused(&["test", "unready"]).await;
    let told = "it is not ready to be pushed:\n  its tests fail\n";
    assert!(error.ends_with(told), "{error}");

    // What the gateway finds wrong, with the tests.
    let manifest = "unready/plugin.toml";
    desk.edit(manifest, r#"["auto-reply"]"#, r#"["routing"]"#);
    desk.edit(manifest, "maxLength = 200", "maxLength = -1");
    let error = desk.refused(&["test", "unready"]).await;
    for wrong in [
        "its tests fail",
        "the manifest claims the hooks routing",
        "maxLength",
    ] {
        assert!(error.contains(wrong), "no {wrong}: {error}");
    }

    // What is no manifest at all.
    desk.edit(manifest, "grants = []", r#"grants = ["disk"]"#);
    desk.edit(source, "You said: ho", "You said: hi");
    let error = desk.refused(&["test", "unready"]).await;
    assert!(error.contains("grants: there is no `disk`"), "{error}");
    assert!(!error.contains("its tests fail"), "{error}");

    desk.edit(source, "let words", "let wrods");
    let error = desk.refused(&["test", "unready"]).await;
    assert!(error.contains("error[E0425]"), "{error}");
    assert!(error.contains("unready does not compile"), "{error}");
}
