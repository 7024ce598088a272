//! A long time in which no webhook could be kept: it is noticed when one can be again, and policy is told.

use std::sync::Arc;
use std::time::Duration;

use vestibule::clock::SystemClock;
use vestibule::domain::{Clock, Timestamp};
use vestibule::storage::{Db, changes, ingest_life};
use vestibule_tests::town::Town;
use vestibule_tests::{for_each_database, guests};

const GAP: Duration = Duration::from_secs(60);

async fn beat(db: &Db, at: Timestamp) -> bool {
    let mut tx = db.begin().await.expect("a transaction");
    let ended = ingest_life::beat_all_tenants(&mut tx, at, GAP)
        .await
        .expect("a beat");
    tx.commit().await.expect("a commit");
    ended
}

/// The end of the last gap, and the version of setup.
async fn known(db: &Db) -> (Option<Timestamp>, i64) {
    let mut tx = db.read().await.expect("a transaction");
    let gap = ingest_life::gap_until_all_tenants(&mut tx)
        .await
        .expect("a row");
    let version = changes::setup_version_all_tenants(&mut tx)
        .await
        .expect("a version");
    (gap, version)
}

#[tokio::test]
async fn a_gap_ends_with_the_first_beat_after_it_and_nodes_are_told() {
    for_each_database(async |database| {
        let db = database.open().await;
        let at = |secs: u64| Timestamp::from_secs(1_795_000_000).plus(Duration::from_secs(secs));
        let (_, before) = known(&db).await;
        assert!(!beat(&db, at(0)).await, "nothing was ever missed");
        assert!(!beat(&db, at(60)).await);
        // Another node's clock.
        assert!(!beat(&db, at(59)).await);
        assert_eq!(known(&db).await, (None, before));
        assert!(beat(&db, at(121)).await);
        assert_eq!(known(&db).await, (Some(at(121)), before + 1));
        assert!(!beat(&db, at(130)).await);
        assert_eq!(known(&db).await, (Some(at(121)), before + 1));
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_node_that_starts_after_a_gap_knows_of_it_from_the_first_message_on() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let db = database.open().await;
        let started_at = SystemClock.now();
        beat(&db, started_at.minus(Duration::from_secs(7_200))).await;
        db.close().await;
        let node = town
            .deployment
            .start_in_process("node", Arc::new(SystemClock))
            .await;
        let snapshot = node.directory.snapshot();
        let gap = snapshot.ingest_gap_until.expect("a gap");
        assert!(gap >= started_at && gap <= SystemClock.now());
        let mut numbers = snapshot.numbers();
        assert!(numbers.all(|number| number.ingest_gap_until == Some(gap)));
        node.end().await;
    })
    .await;
}
