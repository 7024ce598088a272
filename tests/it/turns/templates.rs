//! What plugins are told of the account's templates: what Meta has said of them, of no other account, the same for a
//! replay, and enough to send one.

use serde_json::{Value, json};
use vestibule::simulator::{TemplateCategory, TemplateSpec, TemplateStatus};
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests, until};

use super::all_done;
use super::replay::{installation, replay};

const PHONE: &str = "4915111111111";

/// The customer writes to a number; the content of what is answered.
async fn answer(town: &Town, database: &TestDatabase, number: usize, words: &str) -> Value {
    let number = &town.business.numbers[number].phone_number_id;
    let customer = town.meta.customer(number, PHONE).expect("a customer");
    customer.text(words).expect("sent");
    all_done(town, database).await;
    let query = "SELECT draft FROM outbox ORDER BY id DESC LIMIT 1";
    let draft = database.texts(query).await.remove(0);
    let draft: Value = serde_json::from_str(&draft).expect("JSON");
    draft["content"].clone()
}

async fn asks(town: &Town, database: &TestDatabase, number: usize, words: &str) -> String {
    let content = answer(town, database, number, words).await;
    let body = content["body"].as_str();
    body.map_or_else(|| content.to_string(), str::to_owned)
}

/// What the accounts of the first tenant's two numbers have, and that of another tenant.
fn fill(town: &Town) {
    let account = |number: usize| town.business.numbers[number].waba_id.clone();
    let body = "Your order {{1}} has left our house today.";
    let spec =
        |name: &str, language: &str| TemplateSpec::approved(account(0), name, language, body);
    for language in ["en", "de", "pt_BR"] {
        town.meta.put_template(spec("order_update", language));
    }
    town.meta.put_template(TemplateSpec {
        status: TemplateStatus::Paused,
        ..spec("order_late", "en")
    });
    town.meta.put_template(TemplateSpec {
        category: TemplateCategory::Marketing,
        quality: "YELLOW".to_owned(),
        components: vec![
            json!({"type": "HEADER", "format": "IMAGE"}),
            json!({"type": "BODY", "text": "Hello {{name}}, {{what}} is cheap."}),
            json!({"type": "BUTTONS", "buttons": [
                {"type": "QUICK_REPLY", "text": "Stop"},
                {"type": "URL", "text": "See", "url": "https://shop.example/{{1}}"},
            ]}),
        ],
        ..spec("sale", "en")
    });
    for (number, name) in [(1, "sister"), (2, "stranger")] {
        let spec = TemplateSpec::approved(account(number), name, "en", body);
        town.meta.put_template(spec);
    }
}

/// Until all accounts were read from Meta, and the node knows.
async fn are_known(town: &Town, database: &TestDatabase) {
    let query = "SELECT COUNT(*) FROM template_account WHERE synced_at > 0";
    until("all accounts are read", async || {
        (database.count(query).await == 4).then_some(())
    })
    .await;
    for (number, known) in [(0, "sale/en"), (1, "sister/en"), (2, "stranger/en")] {
        until("the node knows", async || {
            let said = asks(town, database, number, "search s").await;
            (said == known).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_reads_the_templates_of_its_own_account_and_sends_one_and_replays_alike() {
    for_each_database(async |database| {
        let mut town = Town::with_plugin(&database, guests::CATALOGUE, &["templates"]).await;
        fill(&town);
        // Nobody has read them from Meta yet.
        let node = town.node("node").await;
        let unknown = asks(&town, &database, 0, "find sale en").await;
        assert!(unknown.contains("not been read from Meta"), "{unknown}");
        node.end().await;
        town.deployment = town.deployment.with("templates.sync_every", "1d");
        let node = town.node("node").await;
        are_known(&town, &database).await;
        let ask = async |words| asks(&town, &database, 0, words).await;
        // Approved ones alone, over all pages.
        let orders = "order_update/de,order_update/en,order_update/pt_BR";
        assert_eq!(ask("search order_").await, orders);
        assert_eq!(ask("search x").await, "none");
        let late = ask("find order_late en").await;
        assert!(late.contains(r#"Unsendable("PAUSED")"#), "{late}");
        let sale = ask("find sale en").await;
        for part in [
            "sale/en Category::Marketing Status::Approved Quality::Medium read=true",
            r#"Header::Image ["name", "what"]"#,
            "[Button::QuickReply, Button::UrlSuffix] cards=0 offer=false",
        ] {
            assert!(sale.contains(part), "{part}: {sale}");
        }
        assert_eq!(ask("find sale de").await, "none");
        for stranger in [
            "find stranger en",
            "find sister en",
            "language stranger auto",
        ] {
            assert_eq!(ask(stranger).await, "none", "{stranger}");
        }
        // By the rule that settles what is sent.
        assert_eq!(ask("language order_update auto").await, "none");
        assert_eq!(ask("language order_update fr,de").await, "de");
        assert_eq!(ask("send order_update 4711").await, "none");
        assert_eq!(ask("speak pt").await, "yes");
        assert_eq!(ask("language order_update auto").await, "pt_BR");
        let sent = answer(&town, &database, 0, "send order_update 4711").await;
        assert_eq!(sent["language"], "pt_BR", "{sent}");
        assert_eq!(sent["parameters"][0]["value"], "4711", "{sent}");
        assert_eq!(
            ask("send sale 4711").await,
            "none",
            "there is no Portuguese"
        );
        assert_eq!(ask("speak en").await, "yes");
        assert_eq!(ask("send sale 4711").await, r#"it takes ["name", "what"]"#);
        node.end().await;
        let refused = "SELECT COUNT(*) FROM turn WHERE journal LIKE '%\"refused\":\"template%'";
        assert_eq!(database.count(refused).await, 0, "what it built was valid");

        let installation = installation(&database).await;
        let gate = [
            "--json",
            "--fail-if",
            "different>0",
            "--fail-if",
            "unknown>0",
        ];
        let gate = [gate.as_slice(), &["--fail-if", "not-reproduced>0"]].concat();
        let ended = replay(&town, &installation, guests::CATALOGUE, &gate).await;
        assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
        assert!(ended.json()["same"].as_u64() >= Some(14), "{}", ended.out);
    })
    .await;
}
