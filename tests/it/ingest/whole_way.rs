//! Words on their whole way through a node with a plugin: what the person reads, and what the logs keep to themselves.

use vestibule::config::LogFormat;
use vestibule::simulator::Signature;
use vestibule::storage::tenants;
use vestibule::telemetry::Captured;
use vestibule_tests::town::{Town, body, message, now_secs};
use vestibule_tests::{TestDatabase, for_each_database, guests, settle, until};

const CUSTOMER: &str = "4915112345678";
const STOPPED: &str = "You will get no more messages from us";
const SETTINGS: &str = r#"{"human_queue":"support","served_queues":["support"],
    "human_text":"somebody comes","unserved_text":"nobody is here"}"#;

/// The customer writes to the first number, so many seconds ago, and everything that it causes happens.
async fn says(database: &TestDatabase, town: &Town, n: usize, words: &str, secs_ago: i64) {
    let number = &town.business.numbers[0];
    let said = message(n, CUSTOMER, words, now_secs() - secs_ago);
    let body = body(&[(&number.waba_id, &number.phone_number_id, vec![said])]);
    let answers = town.meta.deliver_body(body, Signature::Valid, 1).await;
    assert!(answers.expect("an answer")[0].is_success());
    let db = database.open().await;
    settle(&db).await;
    town.meta.webhooks_idle().await;
    settle(&db).await;
    db.close().await;
}

fn heard(town: &Town) -> Vec<String> {
    let number = &town.business.numbers[0].phone_number_id;
    let customer = town.meta.customer(number, CUSTOMER).expect("a customer");
    let chat = customer.chat();
    chat.texts().into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_stop_is_confirmed_once_reaches_no_plugin_and_a_later_text_is_answered_again() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let node = town.node("node").await;
        says(&database, &town, 1, "STOP", 90).await;
        says(&database, &town, 2, "stop", 60).await;
        let so_far = heard(&town);
        assert_eq!(so_far.len(), 1, "{so_far:?}");
        assert!(so_far[0].starts_with(STOPPED), "{so_far:?}");
        says(&database, &town, 3, "still there?", 30).await;
        assert_eq!(heard(&town)[1..], ["still there?"]);
        node.end().await;
    })
    .await;
}

/// The tenant's settings, what the person reads after asking for a person and writing again, and who owns the
/// conversation then.
const HUMANS: &[(&str, &[&str], &str)] = &[
    (SETTINGS, &["somebody comes"], "1 support"),
    (
        r#"{"unserved_text":"nobody is here"}"#,
        &["nobody is here", "hello?"],
        "0 ",
    ),
];

#[tokio::test]
async fn whoever_asks_for_a_person_gets_one_where_somebody_serves_the_queue() {
    for (settings, texts, owner) in HUMANS {
        for_each_database(async |database| {
            let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
            let db = database.open().await;
            let mut tx = db.begin().await.expect("a transaction");
            let name = &town.business.tenants[0];
            let tenant = tenants::tenant_by_name_all_tenants(&mut tx, name).await;
            let tenant = tenant.expect("readable").expect("the tenant").id;
            let set = tenants::set_settings(&mut tx, tenant, settings).await;
            assert!(set.expect("set"));
            tx.commit().await.expect("a commit");
            db.close().await;
            let node = town.node("node").await;
            says(&database, &town, 1, "agent", 60).await;
            says(&database, &town, 2, "hello?", 30).await;
            assert_eq!(heard(&town), *texts);
            let owners =
                database.texts("SELECT CAST(owner AS TEXT) || ' ' || owner_name FROM conversation");
            assert_eq!(owners.await, [*owner]);
            node.end().await;
        })
        .await;
    }
}

#[tokio::test]
async fn logs_at_info_hold_no_text_phone_number_or_token() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let logs = Captured::start(LogFormat::Text);
        let node = town.node("node").await;
        says(&database, &town, 1, "my card is 4111", 90).await;
        says(&database, &town, 2, "STOP", 60).await;
        says(&database, &town, 3, "and my pin is 2222", 30).await;
        assert_eq!(heard(&town).len(), 3);
        node.end().await;
        let secrets = [
            "my card",
            "my pin",
            CUSTOMER,
            "token-of-",
            STOPPED,
            "wamid.",
        ];
        assert_eq!(logs.leaked(&secrets), None, "{}", logs.text());
        assert!(!logs.text().is_empty(), "the node's own lines were caught");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_taken_and_what_is_odd_is_counted() {
    for_each_database(async |database| {
        let town = Town::without_plugin(&database).await;
        let mut node = town.deployment.start("node").await;
        town.meta
            .set_webhook(&node.webhook_url(), None)
            .expect("a URL");
        let large = vec![b'x'; 5 << 20];
        let answers = town.meta.deliver_body(large, Signature::Valid, 1).await;
        assert_eq!(answers.expect("an answer")[0].as_u16(), 413);
        says(&database, &town, 1, "from long ago", 31 * 86_400).await;
        says(&database, &town, 2, "from now", 10).await;
        for (name, label, count) in [
            ("vestibule_webhooks_total", "outcome=\"too_large\"", 1.0),
            ("vestibule_webhooks_total", "outcome=\"kept\"", 2.0),
            ("vestibule_messages_total", "outcome=\"stale\"", 1.0),
            ("vestibule_messages_total", "kind=\"text\"", 2.0),
        ] {
            let counted = node.metric(name, label).await;
            assert!((counted - count).abs() < 0.1, "{name} {label}: {counted}");
        }
        assert!(node.terminate().await.success(), "{}", node.logs());
    })
    .await;
}

#[tokio::test]
async fn a_send_that_its_turns_commit_does_not_let_go_is_counted_once_as_decided() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let mut node = town.deployment.start("node").await;
        town.meta
            .set_webhook(&node.webhook_url(), None)
            .expect("a URL");
        says(&database, &town, 1, "one", 60).await;
        // The person has had 45 messages in a moment: the next goes in three seconds (facts §6.7), not with its turn.
        let debt = (now_secs() + 44 * 6 + 3) * 1_000;
        let paced = format!("UPDATE conversation SET pair_debt_at = {debt}");
        database.execute(paced.leak()).await;
        says(&database, &town, 2, "two", 30).await;
        assert_eq!(heard(&town), ["one", "two"]);
        let decided = async || {
            let (name, gate) = ("vestibule_policy_decisions_total", "gate=\"claim\"");
            node.metric(name, gate).await
        };
        until("both are counted", async || {
            (decided().await > 1.5).then_some(())
        })
        .await;
        let decided = decided().await;
        assert!(
            (decided - 2.0).abs() < 0.1,
            "{decided} decisions of two sends"
        );
        assert!(node.terminate().await.success(), "{}", node.logs());
    })
    .await;
}
