//! Business events, receipts, and what plugins tell of them; consent that customers ask for; memory that ends.

use serde_json::json;
use vestibule::contacts::{self, Kind};
use vestibule_tests::{TestDatabase, for_each_database};

use super::ground::Ground;

const EVENTS: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM inbound_event WHERE kind = 5 AND state = 1
    AND content LIKE '%\"occasion\":\"event\"%'";

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_handled_once_however_often_it_is_told() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        ground.says("hello", "hello").await;
        let (tenant, number) = ground.place().await;
        let paid = || {
            Ground::event(
                number,
                "order-1",
                "payment.succeeded",
                &json!({"amount": 49.9}),
            )
        };
        assert!(!ground.tell(tenant, paid()).await);
        assert!(ground.tell(tenant, paid()).await);
        ground.reads("payment.succeeded").await;
        assert!(ground.tell(tenant, paid()).await);
        ground.all_done().await;
        assert_eq!(database.texts(EVENTS).await, ["1"]);
        assert_eq!(ground.heard("payment.succeeded"), 1);
        let told = "SELECT plugin || ' ' || name || ' ' || fields FROM plugin_event";
        assert_eq!(
            database.texts(told).await,
            [r#"clockwork seen {"amount":49.9}"#]
        );
        let counted = "SELECT name || ' ' || CAST(samples AS TEXT) FROM plugin_metric";
        assert_eq!(database.texts(counted).await, ["events 1"]);
        let notes = "SELECT author || ': ' || body FROM conversation_note";
        let note = "clockwork 0.1.0: payment.succeeded order-1";
        assert_eq!(database.texts(notes).await, [note]);
        // The one conversation that there is: no second was begun.
        assert_eq!(database.count("SELECT COUNT(*) FROM conversation").await, 1);
        ground.node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_somebody_new_begins_a_conversation_and_says_nothing_into_a_closed_window() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        // A message of somebody else, to know the tenant and number.
        ground.says("hello", "hello").await;
        let (tenant, number) = ground.place().await;
        let mut event = Ground::event(number, "1", "cart.abandoned", &json!({}));
        event.who = vestibule::occasions::Who::Phone("+4915199999999".to_owned());
        assert!(!ground.tell(tenant, event).await);
        ground.until(EVENTS, &["1"]).await;
        ground.all_done().await;
        let tags = "SELECT tags FROM conversation WHERE last_inbound_at = 0";
        assert_eq!(database.texts(tags).await, [r#"["cart.abandoned"]"#]);
        // Nothing is known of the new number's window, so it is sent; Meta would say 131047. What counts: it asked
        // policy like everybody.
        let turns = "SELECT outcome FROM turn WHERE journal LIKE '%\"event\"%'";
        assert_eq!(database.texts(turns).await, ["answered"]);
        ground.node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receipts_become_turns_where_a_plugin_hears_of_them() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        ground.says("hello", "hello").await;
        let noted = "SELECT attributes FROM conversation WHERE attributes LIKE '%last_receipt%'";
        let heard = async || !database.texts(noted).await.is_empty();
        vestibule_tests::wait::until("a receipt was noted", async || heard().await.then_some(()))
            .await;
        ground.all_done().await;
        let receipts = database.count("SELECT COUNT(*) FROM receipt").await;
        let turns = "SELECT COUNT(*) FROM inbound_event WHERE kind = 5";
        assert!(database.count(turns).await <= receipts);
        ground.node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_of_contacts_are_set_by_one_turn_and_read_by_the_next() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        ground.says("hello", "hello").await;
        let (tenant, number) = ground.place().await;
        let setup = ground.node.context.setup.clone();
        let defined = contacts::define(&setup, tenant, "city", Kind::Text).await;
        defined.expect("defined");
        // Turns know it once the setup is read again.
        let asked = "SELECT attributes FROM contact WHERE attributes <> '{}'";
        let mut n = 0;
        vestibule_tests::wait::until("the attribute is set", async || {
            n += 1;
            let event = Ground::event(number, &n.to_string(), "moved", &json!({"city": "Rome"}));
            ground.tell(tenant, event).await;
            ground.all_done().await;
            (database.texts(asked).await == [r#"{"city":"Rome"}"#]).then_some(())
        })
        .await;
        ground.says("who am I", "Rome").await;
        ground.node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_in_own_words_is_confirmed_once_and_lifted_by_own_words_only() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        ground.says("hello", "hello").await;
        ground.customer.text("leave me alone").expect("sent");
        let state = "SELECT CAST(opt_out AS TEXT) FROM consent";
        let free = database.texts(state).await;
        ground.all_done().await;
        let stopped = database.texts(state).await;
        assert_ne!(stopped, ["0"], "before: {free:?}");
        let confirmed =
            "SELECT CAST(COUNT(*) AS TEXT) FROM outbox WHERE draft LIKE '%opt_out_confirmation%'";
        assert_eq!(database.texts(confirmed).await, ["1"]);
        let (tenant, number) = ground.place().await;
        let event = Ground::event(number, "1", "offer", &json!({}));
        ground.tell(tenant, event).await;
        ground.until(EVENTS, &["1"]).await;
        ground.all_done().await;
        assert_eq!(
            ground.heard("offer"),
            0,
            "who opted out gets nothing that the business begins"
        );
        // Meta's times are whole seconds, and what was written in the stop's own second lifts nothing.
        let mut tries = 0;
        vestibule_tests::wait::until("the opt-in counts", async || {
            tries += 1;
            ground.customer.text("write to me again").expect("sent");
            ground.all_done().await;
            (database.texts(state).await == ["0"]).then_some(())
        })
        .await;
        assert!(tries > 0);
        ground.node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_of_contact_and_conversation_is_apart_and_ends_by_itself() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        ground.customer.text("remember").expect("sent");
        ground.all_done().await;
        let kept = "SELECT CAST(COUNT(*) AS TEXT) FROM plugin_kv";
        assert_eq!(database.texts(kept).await, ["2"]);
        assert_eq!(ground.heard("seen"), 1);
        let used = "SELECT bytes FROM plugin_kv_usage";
        let before = database.count(used).await;
        let db = database.open().await;
        let swept = async || {
            let now = vestibule_tests::db::now();
            vestibule::storage::kv::forget_ended_all_tenants(&db, now).await
        };
        vestibule_tests::wait::until("the value has ended and is swept", async || {
            (swept().await.expect("swept") == 1).then_some(())
        })
        .await;
        db.close().await;
        assert_eq!(database.texts(kept).await, ["1"]);
        assert!(database.count(used).await < before);
        ground.node.end().await;
    })
    .await;
}
