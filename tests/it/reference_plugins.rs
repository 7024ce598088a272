//! The reference plugins as tenants use them: installed by the command with the settings of their READMEs, spoken to by a
//! customer, and seen in what comes back and what is stored.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule::plugin_host::inspect;
use vestibule::reference_plugins;
use vestibule::simulator::{Chat, Customer};
use vestibule_tests::town::Town;
use vestibule_tests::{InProcessNode, TestDatabase, for_each_database, settle};

const CUSTOMER: &str = "4915111111111";

/// The first JSON of a plugin's README: the example that tenants copy.
fn example(plugin: &str) -> Value {
    let file = format!(
        "{}/../plugins/{plugin}/README.md",
        env!("CARGO_MANIFEST_DIR")
    );
    let readme = std::fs::read_to_string(file).expect("a README");
    let (_, rest) = readme.split_once("```json").expect("an example");
    let (json, _) = rest.split_once("```").expect("its end");
    serde_json::from_str(json).expect("JSON")
}

/// `plugin install reference:…` for the first tenant.
async fn install(town: &Town, plugin: &str, position: i64, settings: &Value) {
    let component = reference_plugins::named(plugin).expect("it comes with the gateway");
    let grants = inspect(component).expect("a plugin").manifest.grants;
    let (plugin, settings) = (format!("reference:{plugin}"), settings.to_string());
    let position = position.to_string();
    let tenant = town.business.tenants[0].as_str();
    let mut arguments = vec![
        "plugin",
        "install",
        &plugin,
        "--tenant",
        tenant,
        "--position",
        &position,
    ];
    arguments.extend(["--settings", &settings]);
    arguments.extend(grants.iter().flat_map(|grant| ["--grant", grant.as_str()]));
    town.deployment.run("node", &arguments, &[]).await;
}

async fn serve_queues(town: &Town, queues: &[&str]) {
    let settings = json!({"served_queues": queues, "human_text": "A person comes."}).to_string();
    let tenant = town.business.tenants[0].as_str();
    let arguments = ["tenant", "set", tenant, "--settings", &settings];
    town.deployment.run("node", &arguments, &[]).await;
}

async fn start(town: &Town) -> (InProcessNode, Customer) {
    let clock = std::sync::Arc::new(vestibule::clock::SystemClock);
    let node = town.deployment.start_in_process("node", clock).await;
    let webhook = town.meta.set_webhook(&node.webhook_url(), None);
    webhook.expect("a URL");
    let number = &town.business.numbers[0].phone_number_id;
    let customer = town.meta.customer(number, CUSTOMER).expect("a customer");
    (node, customer)
}

/// Waits for an answer with these words.
async fn answered(customer: &Customer, words: &str) {
    let has = |chat: &Chat| chat.texts().iter().any(|text| text.contains(words));
    let waited = customer.wait_for(Duration::from_secs(60), has).await;
    waited.unwrap_or_else(|_| panic!("no `{words}` in {:?}", customer.chat().texts()));
}

/// Waits until Meta has delivered everything and everything has happened.
async fn all_done(town: &Town, database: &TestDatabase) {
    town.meta.webhooks_idle().await;
    let db = database.open().await;
    settle(&db).await;
    db.close().await;
}

#[test]
fn each_is_a_small_component_with_its_manifest_and_a_schema() {
    for (name, component) in reference_plugins::ALL {
        let manifest = inspect(component).expect("a plugin").manifest;
        assert_eq!(manifest.name, *name);
        assert!(manifest.config_schema.is_some(), "{name}");
        // Half as much again as the largest takes today: a plugin that grows has pulled something in.
        assert!(
            component.len() < 600 << 10,
            "{name}: {} bytes",
            component.len()
        );
    }
}

#[tokio::test]
async fn a_faq_answers_in_the_customers_language_and_leaves_the_rest_to_the_menu() {
    for_each_database(async |database: TestDatabase| {
        let town = Town::without_plugin(&database).await;
        serve_queues(&town, &["counter"]).await;
        install(&town, "contact-enricher", -10, &json!({})).await;
        install(&town, "faq", 0, &example("faq")).await;
        install(&town, "menu", 10, &json!({})).await;
        let (node, customer) = start(&town).await;
        customer
            .text("Guten Tag! Wann habt ihr geöffnet?")
            .expect("sent");
        answered(&customer, "Täglich von 8 bis 18 Uhr.\n\nHat das geholfen?").await;
        customer.text("something else").expect("sent");
        answered(&customer, "*0* Talk to a person").await;
        customer.tap("faq/no/hours").expect("offered");
        answered(&customer, "Gleich hilft dir jemand.").await;
        all_done(&town, &database).await;
        let owner = database.texts("SELECT owner_name FROM conversation").await;
        assert_eq!(owner, ["counter"]);
        node.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_router_gives_conversations_to_departments() {
    for_each_database(async |database: TestDatabase| {
        let town = Town::without_plugin(&database).await;
        serve_queues(&town, &["billing", "billing-de"]).await;
        install(&town, "contact-enricher", -10, &json!({})).await;
        install(&town, "department-router", 0, &example("department-router")).await;
        install(&town, "menu", 10, &json!({})).await;
        let (node, customer) = start(&town).await;
        customer.text("hello").expect("sent");
        answered(&customer, "*0* Talk to a person").await;
        customer
            .text("Ich habe eine Frage zu meiner Rechnung")
            .expect("sent");
        answered(&customer, "A person comes.").await;
        all_done(&town, &database).await;
        let owner = database.texts("SELECT owner_name FROM conversation").await;
        assert_eq!(owner, ["billing-de"]);
        node.end().await;
    })
    .await;
}

#[tokio::test]
async fn an_enricher_notes_language_tags_and_vips() {
    for_each_database(async |database: TestDatabase| {
        let town = Town::without_plugin(&database).await;
        let mut settings = example("contact-enricher");
        settings["vip"]["messages"] = json!(2);
        install(&town, "contact-enricher", 0, &settings).await;
        let (node, customer) = start(&town).await;
        customer
            .text("Je voudrais faire une réclamation, merci")
            .expect("sent");
        all_done(&town, &database).await;
        let facts = "SELECT language || ' ' || tags || ' ' || attributes FROM conversation";
        let noted = r#"fr ["complaint"] {"priority":"high"}"#;
        assert_eq!(database.texts(facts).await, [noted]);
        customer.text("allo ?").expect("sent");
        all_done(&town, &database).await;
        let noted = r#"fr ["complaint","vip"] {"priority":"high","segment":"loyal"}"#;
        assert_eq!(database.texts(facts).await, [noted]);
        node.end().await;
    })
    .await;
}
