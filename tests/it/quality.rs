//! The quality of a number, read from Meta where no webhook tells it: RED puts the brake on, what is better takes it off.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use vestibule::clock::SystemClock;
use vestibule::directory::rounds::Rounds;
use vestibule::metering::QualityWatch;
use vestibule_tests::town::Town;
use vestibule_tests::{for_each_database, until};

use crate::ingest::desk::NUMBERS;
use crate::templates::shelf::{ACCOUNT, Shelf};

const HOLDS: &str = "SELECT placed_by || CASE WHEN lifted_at = 0 THEN ' holds' ELSE ' lifted' END FROM hold ORDER BY id";

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_meta_shows_as_red_is_braked_without_a_webhook() {
    for_each_database(async |database| {
        let mut town = Town::without_plugin(&database).await;
        town.deployment = town.deployment.with("graph.quality_every", "1s");
        // Meta has no address to tell anything to.
        let clock = Arc::new(SystemClock);
        let node = town.deployment.start_in_process("node", clock).await;
        let number = &town.business.numbers[0];
        let rate = |rating: &str| {
            let event = json!({"quality": {"number": number.phone_number_id, "rating": rating}});
            let event = serde_json::from_value(event).expect("an event");
            let world = town.meta.world();
            world
                .account_event(&number.waba_id, event)
                .expect("an account");
        };
        let until_held = async |wanted: &str| {
            until(wanted, async || {
                (database.texts(HOLDS).await == [wanted]).then_some(())
            })
            .await;
        };
        rate("RED");
        until_held("reading: quality dropped holds").await;
        rate("YELLOW");
        until_held("reading: quality dropped lifted").await;
        let facts = "SELECT value FROM account_fact WHERE fact = 'quality' AND value <> 'GREEN' ORDER BY at";
        assert_eq!(database.texts(facts).await, ["RED", "YELLOW"]);
        node.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_start_asks_only_for_what_is_due() {
    for_each_database(async |database| {
        let shelf = Shelf::with(&database, Vec::new()).await;
        let every = Duration::from_secs(3600);
        // Each knows as little as a node that has just started.
        let start = async || {
            let watch = QualityWatch {
                graph: shelf.job().graph,
                rounds: Rounds {
                    setup: shelf.desk.setup.clone(),
                    directory: shelf.desk.owner.clone(),
                    owned: shelf.desk.owned(),
                    every,
                },
            };
            let rounds = watch.rounds.clone();
            rounds.look_at_due(&watch, &mut HashMap::new()).await;
            database.texts(HOLDS).await
        };
        assert!(start().await.is_empty());
        let event = json!({"quality": {"number": NUMBERS[0], "rating": "RED"}});
        let event = serde_json::from_value(event).expect("an event");
        let world = shelf.meta.world();
        world.account_event(ACCOUNT, event).expect("an account");
        shelf.desk.clock.advance(every - Duration::from_millis(1));
        assert!(start().await.is_empty(), "it was asked for within the hour");
        shelf.desk.clock.advance(Duration::from_millis(1));
        assert_eq!(start().await, ["reading: quality dropped holds"]);
    })
    .await;
}
