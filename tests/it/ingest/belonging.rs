//! Whose a body's parts are: a number is its app's, and a node that has not heard of a number yet loses nothing of it.

use std::sync::Arc;

use serde_json::{Value, json};
use vestibule_tests::{TestDatabase, for_each_database, until};

use super::desk::{Desk, NUMBERS, body, text};

fn hello(desk: &Desk, wamid: &str) -> Value {
    text(wamid, Some("447700900123"), None, desk.ago(5), "hello")
}

async fn kept(database: &TestDatabase) -> Vec<String> {
    database
        .texts("SELECT content FROM inbound_event WHERE kind = 9 ORDER BY content")
        .await
}

#[tokio::test]
async fn a_number_that_only_the_receiving_node_knows_is_served_by_the_owner_of_its_bucket() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        desk.add_number(0, "770003").await;
        desk.receiver.refresh().await.expect("readable setup");
        assert!(desk.owner.snapshot().number_named("770003").is_none());
        let said = body("770003", &[hello(&desk, "wamid.A")]);
        assert_eq!(desk.post_by(0, &said).await, 200);
        assert_eq!(desk.attach().await.len(), 1);
        assert_eq!(kept(&database).await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_number_that_only_the_owner_knows_is_served_although_it_was_received_as_nobodys() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        desk.add_number(0, "770003").await;
        desk.owner.refresh().await.expect("readable setup");
        let said = body("770003", &[hello(&desk, "wamid.A")]);
        assert_eq!(desk.post_by(0, &said).await, 200);
        assert_eq!(desk.attach().await.len(), 1);
        assert_eq!(kept(&database).await, [""; 0]);
    })
    .await;
}

/// Both apps are subscribed to the same WABA, as while a business moves: each gets a copy, signed with its own secret.
#[tokio::test]
async fn an_app_speaks_for_its_own_numbers_only_and_its_copy_hides_no_real_message() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let of_the_bank = body(NUMBERS[1], &[hello(&desk, "wamid.A")]);
        assert_eq!(desk.post_by(0, &of_the_bank).await, 200);
        assert_eq!(desk.attach().await.len(), 0);
        assert_eq!(kept(&database).await, ["number_of_another_app.message"]);
        let tenants = "SELECT COUNT(*) FROM inbound_event WHERE tenant <> 0";
        assert_eq!(database.count(tenants).await, 0);
        assert_eq!(database.count("SELECT COUNT(*) FROM contact").await, 0);
        assert_eq!(desk.post_by(1, &of_the_bank).await, 200);
        assert_eq!(desk.attach().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn one_post_of_several_numbers_gives_each_its_own_and_keeps_what_is_nobodys() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        desk.add_number(0, "770003").await;
        desk.receiver.refresh().await.expect("readable setup");
        let mut entries = Vec::new();
        for (n, number) in [NUMBERS[0], "770003", NUMBERS[1], "999999"]
            .iter()
            .enumerate()
        {
            let part = body(number, &[hello(&desk, &format!("wamid.{n}"))]);
            entries.push(part["entry"][0].clone());
        }
        let whole = json!({ "object": "whatsapp_business_account", "entry": entries });
        assert_eq!(desk.post_by(0, &whole).await, 200);
        assert_eq!(desk.attach().await.len(), 2);
        assert_eq!(
            kept(&database).await,
            ["number_of_another_app.message", "unknown_number.message"]
        );
    })
    .await;
}

#[tokio::test]
async fn while_setup_cannot_be_read_bodies_wait_and_the_node_says_so() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let said = body(NUMBERS[0], &[hello(&desk, "wamid.A")]);
        assert_eq!(desk.post_by(0, &said).await, 200);
        // A hold of a scope that this version does not know, as a newer one may have written it.
        let broken = "INSERT INTO hold (id, tenant, scope, target, name, language, reason, placed_by, placed_at)
            VALUES (1, 0, 99, 0, '', '', '', '', 0) RETURNING name";
        database.texts(broken).await;
        let moved = "UPDATE change_counter SET version = version + 1 RETURNING name";
        database.texts(moved).await;
        let (events, _attached) = tokio::sync::mpsc::channel(10);
        let stop = tokio_util::sync::CancellationToken::new();
        let attaching = tokio::spawn(Arc::new(desk.attacher(events)).run(stop.clone()));
        until("it is known that setup cannot be read", async || {
            (!desk.owner.is_fresh()).then_some(())
        })
        .await;
        assert_eq!(desk.waiting().await, 1);
        database.texts("DELETE FROM hold RETURNING name").await;
        until("the body is attached", async || {
            (desk.waiting().await == 0).then_some(())
        })
        .await;
        assert!(desk.owner.is_fresh());
        stop.cancel();
        attaching.await.expect("it ends");
    })
    .await;
}
