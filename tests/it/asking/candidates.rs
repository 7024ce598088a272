//! Versions that differ in nothing but what they ask others: told as different, in shadow and in a replay, and nobody is
//! asked.

use serde_json::{Value, json};
use vestibule_tests::manifest::saying;
use vestibule_tests::{for_each_database, guests};

use super::shop::Shop;
use super::{install, journals, replayed, says, town};

/// Its settings bring a tone of their own, which stands in the request's body and nowhere else.
fn louder() -> Vec<u8> {
    let text = json!({"type": "string"});
    let tone = json!({"type": "string", "default": "loud"});
    let schema = json!({"type": "object", "properties": {"shop": text, "tone": tone}});
    let fields = json!({"version": "0.2.0", "config_schema": schema});
    saying(guests::TELLER, &fields)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_asks_something_else_is_different_and_asks_nobody() {
    for_each_database(async |database| {
        let shop = Shop::start().await;
        let town = town(&database).await;
        let settings = json!({"shop": shop.url("")});
        let hosts = format!("http POST {}", shop.url("/echo"));
        let grants = ["--grant", hosts.as_str()];
        install(&town, 0, guests::TELLER, &settings, &grants).await;
        let shadow = [grants.as_slice(), &["--stage", "shadow"]].concat();
        install(&town, 0, &louder(), &settings, &shadow).await;
        let node = town.node("node").await;
        let said = says(&town, &database, 0, "hello").await;
        assert!(said.contains("Noted."), "{said}");
        node.end().await;

        // The shop heard the version in service, once.
        let asked = shop.asked();
        let bodies: Vec<&str> = asked.iter().map(|asked| asked.body.as_str()).collect();
        assert_eq!(bodies, [r#"{"said":"hello","tone":""}"#]);
        let journal = &journals(&database).await[0];
        let trial = &journal["trials"][0];
        assert_eq!(trial["same"], false, "{journal}");
        let (effects, logs) = (trial["effects"].to_string(), trial["logs"].to_string());
        assert!(effects.contains("Noted."), "it answered the same: {trial}");
        assert!(logs.contains("nothing was sent"), "{trial}");

        let before = (shop.asked().len(), shop.connections());
        let told = replayed(&town, &database, &louder()).await;
        let counts = (&told["same"], &told["different"], &told["unknown"]);
        assert_eq!(counts, (&json!(0), &json!(1), &json!(0)), "{told}");
        let difference = &told["differences"][0];
        let lines = |which: &str| -> Vec<String> {
            let lines = difference[which].as_array().expect("lines").iter();
            lines.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (was, is) = (lines("before"), lines("after"));
        assert_eq!(was[0], is[0], "it says the same: {told}");
        let asks = format!("asks POST {} (", shop.url("/echo"));
        assert!(
            was[1].starts_with(&asks) && was[1].ends_with(": 200"),
            "{told}"
        );
        assert!(
            is[1].starts_with(&asks) && is[1].contains("Unavailable"),
            "{told}"
        );
        assert_eq!((shop.asked().len(), shop.connections()), before);

        // The version in service asks the same again, and is answered from the journal.
        let told = replayed(&town, &database, guests::TELLER).await;
        assert_eq!(
            (&told["same"], &told["different"]),
            (&json!(1), &json!(0)),
            "{told}"
        );
        assert_eq!((shop.asked().len(), shop.connections()), before);
    })
    .await;
}
