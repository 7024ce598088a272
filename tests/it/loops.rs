//! Automatic answers, end to end: another automat that answers each of them is left alone in the end, and what a plugin
//! says as it hands over is still the plugin's.

use vestibule::policy::LoopBrake;
use vestibule::reference_plugins::MENU;
use vestibule::simulator::Signature;
use vestibule_tests::town::{Town, body, message, now_secs};
use vestibule_tests::{for_each_database, guests, settle, until};

/// What the other automat says before we look.
const SAID: i64 = LoopBrake::DEFAULT_LIMIT + 10;

#[tokio::test]
async fn a_fallback_that_is_answered_every_time_stops_at_the_hours_limit() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::REJECT, &[]).await;
        let node = town.node("node").await;
        let number = &town.business.numbers[0];
        let messages = (0..SAID)
            .map(|n| {
                let n = usize::try_from(n).expect("few");
                message(n, "4915112345678", "Please try again later.", now_secs())
            })
            .collect();
        let body = body(&[(&number.waba_id, &number.phone_number_id, messages)]);
        let answers = town.meta.deliver_body(body, Signature::Valid, 1).await;
        assert!(answers.expect("answers")[0].is_success());
        until("every message had its turn", async || {
            let turns = database.count("SELECT COUNT(*) FROM turn").await;
            (turns == SAID).then_some(())
        })
        .await;
        let answers = database.count("SELECT COUNT(*) FROM outbox").await;
        assert_eq!(answers, LoopBrake::DEFAULT_LIMIT);
        node.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_farewell_goes_out_as_its_plugins_and_a_hold_of_the_plugin_stops_it() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, MENU, &["kv"]).await;
        let node = town.node("node").await;
        let number = &town.business.numbers[0];
        let db = database.open().await;
        let chooses_a_person = async |n: usize| {
            let messages = vec![message(n, "4915112345678", "0", now_secs())];
            let body = body(&[(&number.waba_id, &number.phone_number_id, messages)]);
            let answers = town.meta.deliver_body(body, Signature::Valid, 1).await;
            assert!(answers.expect("answers")[0].is_success());
            settle(&db).await;
            database
                .count("SELECT COUNT(*) FROM outbox WHERE state = 2 AND draft LIKE '%\"farewell\":true%'")
                .await
        };
        assert_eq!(chooses_a_person(1).await, 1);
        let tenant = &town.business.tenants[number.tenant];
        let hold = ["hold", "add", "plugin", tenant, "menu", "--reason", "test"];
        town.deployment.run("node", &hold, &[]).await;
        until("the node knows of the hold", async || {
            let snapshot = node.directory.snapshot();
            let entry = snapshot.number_named(&number.phone_number_id)?;
            (!entry.holds.is_empty()).then_some(())
        })
        .await;
        assert_eq!(chooses_a_person(2).await, 1);
        db.close().await;
        node.end().await;
    })
    .await;
}
