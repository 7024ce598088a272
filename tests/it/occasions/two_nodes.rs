//! Timers of nodes that are killed: whoever is left fires them, each once.

use vestibule::simulator::Customer;
use vestibule_tests::town::Town;
use vestibule_tests::{GatewayProcess, Kind, TestDatabase, guests, settle, until};

const SET: &str = "SELECT COUNT(*) FROM timer";
const FIRED: &str = "SELECT COUNT(*) FROM inbound_event WHERE kind = 5 AND state = 1
    AND content LIKE '%\"occasion\":\"timer\"%'";
const OWNERS: &str = "SELECT COUNT(DISTINCT slot) FROM bucket_lease WHERE slot <> 0";
/// An hour has passed.
const DUE: &str = "UPDATE timer SET due_at = set_at";

async fn counts(database: &TestDatabase, what: &str, query: &'static str, expected: i64) {
    until(what, async || {
        (database.count(query).await == expected).then_some(())
    })
    .await;
}

/// A customer of every number, so that the timers lie in several buckets.
fn customers(town: &Town) -> Vec<Customer> {
    let numbers = town.business.numbers.iter();
    numbers
        .map(|number| {
            let customer = town.meta.customer(&number.phone_number_id, "4915111111111");
            customer.expect("a customer")
        })
        .collect()
}

/// Webhooks go to this node from now on: those of a dead one would wait for ever.
fn meta_calls(town: &Town, node: &GatewayProcess) {
    let set = town.meta.set_webhook(&node.webhook_url(), None);
    set.expect("a URL");
}

/// Everybody asks to be reminded in an hour, by the node that hears it.
async fn ask_all(town: &Town, database: &TestDatabase, node: &GatewayProcess) {
    meta_calls(town, node);
    let customers = customers(town);
    for customer in &customers {
        customer.text("remind 3600").expect("sent");
    }
    let all = i64::try_from(customers.len()).expect("few");
    counts(database, "all timers are set", SET, all).await;
    // What was answered is through: a kill later finds nothing half done but the timers.
    town.meta.webhooks_idle().await;
}

async fn all_done(town: &Town, database: &TestDatabase) {
    let db = database.open().await;
    settle(&db).await;
    town.meta.webhooks_idle().await;
    db.close().await;
}

fn reminded(town: &Town) -> Vec<usize> {
    let heard = |customer: &Customer| {
        let chat = customer.chat();
        let texts = chat.texts();
        texts
            .iter()
            .filter(|text| text.starts_with("You said"))
            .count()
    };
    customers(town).iter().map(heard).collect()
}

#[tokio::test]
async fn a_timer_of_a_node_that_is_killed_fires_once_on_the_other() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let town = Town::with_plugin(&database, guests::CLOCKWORK, &["kv"]).await;
    // The first node sets all of them: there is no other yet.
    let mut first = town.deployment.start("a").await;
    ask_all(&town, &database, &first).await;
    let mut second = town.deployment.start("b").await;
    counts(&database, "the work is shared", OWNERS, 2).await;
    first.kill9();
    meta_calls(&town, &second);
    database.execute(DUE).await;
    counts(&database, "all have fired", FIRED, 4).await;
    all_done(&town, &database).await;
    assert_eq!(reminded(&town), [1, 1, 1, 1]);

    // And again, killed in the moment in which they fall due: who fires them, nobody knows.
    first.restart(&town.deployment);
    first.wait_until_ready().await;
    counts(&database, "the work is shared again", OWNERS, 2).await;
    ask_all(&town, &database, &second).await;
    all_done(&town, &database).await;
    database.execute(DUE).await;
    second.kill9();
    meta_calls(&town, &first);
    counts(&database, "all have fired again", FIRED, 8).await;
    all_done(&town, &database).await;
    assert_eq!(database.count(SET).await, 0);
    let times = reminded(&town);
    // A send that was under way may be repeated by rule, and is listed then: a turn is not.
    let doubted = database
        .count("SELECT COUNT(*) FROM outbox WHERE doubts > 0")
        .await;
    let more = times.iter().sum::<usize>() - 8;
    assert!(i64::try_from(more).expect("few") <= doubted, "{times:?}");
    assert!(times.iter().all(|times| *times >= 2), "{times:?}");
    assert!(first.terminate().await.success(), "{}", first.logs());
}
