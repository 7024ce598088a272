//! The reference plugin `order-lookup` against a shop that answers, one that is too slow, and one that is down.

use serde_json::{Value, json};
use vestibule::reference_plugins::ORDER_LOOKUP;
use vestibule_tests::for_each_database;
use vestibule_tests::town::Town;

use super::shop::Shop;
use super::{PHONE, SECRET, all_done, has_secret, install, journals, town};

/// For one number of its tenant: the shop is asked there.
async fn installed(town: &Town, number: usize, address: &str, timeout: u32) {
    let settings = json!({"address": address, "timeout_ms": timeout});
    let hosts = format!("http POST {address}");
    let number = &town.business.numbers[number];
    let mut more = vec!["--number", number.phone_number_id.as_str()];
    for grant in [
        hosts.as_str(),
        "secret shop-token",
        "personal-data phone",
        "kv",
        "window",
    ] {
        more.extend(["--grant", grant]);
    }
    install(town, number.tenant, ORDER_LOOKUP, &settings, &more).await;
}

async fn serves_orders(town: &Town, tenant: usize) {
    let tenant = town.business.tenants[tenant].as_str();
    let settings = json!({"served_queues": ["orders"]}).to_string();
    let arguments = ["tenant", "set", tenant, "--settings", &settings];
    town.deployment.run("node", &arguments, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_looked_up_and_a_shop_that_is_slow_or_down_is_a_case_for_people() {
    for_each_database(async |database| {
        let shop = Shop::start().await;
        let town = town(&database).await;
        for tenant in 0..2 {
            has_secret(&town, tenant, "shop-token", "127.0.0.1").await;
            serves_orders(&town, tenant).await;
        }
        installed(&town, 0, &shop.url("/orders/find"), 5_000).await;
        installed(&town, 2, &shop.url("/slow"), 200).await;
        installed(&town, 3, "http://127.0.0.1:1/orders", 5_000).await;
        let node = town.node("node").await;
        for number in [0, 2, 3] {
            let number = &town.business.numbers[number].phone_number_id;
            let customer = town.meta.customer(number, PHONE).expect("a customer");
            customer.text("Where is my order 4711?").expect("sent");
            all_done(&town, &database).await;
        }
        node.end().await;

        let drafts = database.texts("SELECT draft FROM outbox ORDER BY id").await;
        let body = |draft: &String| {
            let draft: Value = serde_json::from_str(draft).expect("a draft is JSON");
            draft["content"]["body"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let handed = "I cannot look that up right now. Somebody will help you in a moment.";
        let said: Vec<String> = drafts.iter().map(body).collect();
        assert_eq!(said, ["Your order 4711: on its way.", handed, handed]);
        let owners = "SELECT owner_name FROM conversation ORDER BY id";
        assert_eq!(database.texts(owners).await, ["", "orders", "orders"]);
        // What the shop got, of whoever asked; no journal has any of it.
        let asked = shop.asked();
        let lines: Vec<&str> = asked.iter().map(|asked| asked.line.as_str()).collect();
        assert_eq!(lines, ["POST /orders/find", "POST /slow"]);
        assert_eq!(asked[0].header("authorization"), format!("Bearer {SECRET}"));
        let body: Value = serde_json::from_str(&asked[0].body).expect("JSON");
        assert_eq!(body, json!({"order": "4711", "phone": format!("+{PHONE}")}));
        let journals = journals(&database).await;
        for (journal, why) in journals[1..]
            .iter()
            .zip(["no answer in time", "was not reached"])
        {
            assert!(journal.to_string().contains(why), "{why}: {journal}");
        }
    })
    .await;
}
