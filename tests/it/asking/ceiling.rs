//! What the operator lets a tenant's plugins have at all: lowered under a plugin that runs, it holds from the next turn on.

use serde_json::{Value, json};
use vestibule_tests::process::said;
use vestibule_tests::town::Town;
use vestibule_tests::{for_each_database, guests};

use super::shop::Shop;
use super::{SECRET, file, has_secret, install, journals, says, town};

async fn lets_have(town: &Town, tenant: usize, ceiling: Value) {
    let settings = json!({ "grant_ceiling": ceiling }).to_string();
    let tenant = town.business.tenants[tenant].as_str();
    let set = ["tenant", "set", tenant, "--settings", &settings];
    town.deployment.run("node", &set, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_above_a_lowered_ceiling_is_used_no_more_and_comes_back_with_it() {
    for_each_database(async |database| {
        let shop = Shop::start().await;
        let town = town(&database).await;
        has_secret(&town, 1, "token", "127.0.0.1").await;
        let host = format!("http {}", shop.url("/echo"));
        let grants = ["--grant", &host, "--grant", "secret token", "--grant", "kv"];
        install(&town, 1, guests::ASKER, &json!({}), &grants).await;
        let node = town.node("node").await;
        let ask = async |wish: Value| says(&town, &database, 1, &wish.to_string()).await;
        let plain = json!({"url": shop.url("/echo")});
        let with_secret = json!({"url": shop.url("/echo"),
            "headers": [["authorization", [{"text": "Bearer "}, {"secret": "token"}]]]});
        let answer = ask(with_secret.clone()).await;
        assert!(answer.contains("x-you-sent=Bearer [masked]"), "{answer}");
        assert_eq!(shop.asked().len(), 1);

        // It asks for the secret whether it has it or not, and no other way leads to it.
        lets_have(&town, 1, json!(["kv", "http *"])).await;
        let answer = ask(with_secret.clone()).await;
        assert!(answer.contains("Denied: "), "{answer}");
        assert_eq!(shop.asked().len(), 1, "nobody was asked");
        let answer = ask(plain.clone()).await;
        assert!(!answer.contains("Denied: "), "{answer}");
        assert_eq!(shop.asked().len(), 2);

        lets_have(&town, 1, json!(["secret *", "http https://shop.example/"])).await;
        for wish in [&plain, &with_secret] {
            let answer = ask(wish.clone()).await;
            assert!(answer.contains("Denied: "), "{answer}");
        }
        assert_eq!(shop.asked().len(), 2, "nobody was asked");
        let list = ["plugin", "list", "--json"];
        let listed = town.deployment.run("node", &list, &[]).await;
        let listed: Value = serde_json::from_str(&listed).expect("JSON");
        assert_eq!(listed[0]["withheld"], json!([host, "kv"]), "{listed}");

        // Nobody gives it anew, the command line neither.
        let component = file(&town, "component", guests::ASKER);
        let mut again = town.deployment.command("node");
        let tenant = town.business.tenants[1].as_str();
        again.args(["plugin", "install", &component, "--tenant", tenant]);
        again.args(["--grant", "secret token", "--grant", &host]);
        let refused = said(again).await.expect_err("it is above the ceiling");
        let told = format!("`{host}` is more than the operator lets plugins of this tenant have");
        assert!(refused.contains(&told), "{refused}");
        assert!(
            refused.contains("only the operator can widen it"),
            "{refused}"
        );

        lets_have(&town, 1, json!("all")).await;
        let answer = ask(with_secret).await;
        assert!(answer.contains("x-you-sent=Bearer [masked]"), "{answer}");
        let last = shop.asked().pop().expect("asked");
        assert_eq!(last.header("authorization"), format!("Bearer {SECRET}"));
        journals(&database).await;
        node.end().await;
    })
    .await;
}
