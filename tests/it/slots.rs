//! Node slots: given back by their holders only, and kept by a verb of the command line for as long as it takes.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vestibule::admin::Local;
use vestibule::clock::SystemClock;
use vestibule::config::Config;
use vestibule::domain::Clock;
use vestibule::ownership::{Holder, Keeper, KeeperConfig, UnderWay, holder_name};
use vestibule::storage::nodes::{self, Leased, LiveSlot};
use vestibule::storage::{Db, buckets};
use vestibule_tests::{Kind, TestDatabase, for_each_database, until};

const LONG: Duration = Duration::from_secs(600);

async fn lease(db: &Db, holder: &str, ttl: Duration) -> Leased {
    let leased = nodes::lease_slot(db, holder, ttl).await;
    leased.expect("a database").expect("a free slot")
}

async fn live(db: &Db) -> Vec<LiveSlot> {
    let mut tx = db.read().await.expect("a transaction");
    nodes::live_slots(&mut tx).await.expect("readable slots")
}

/// How many buckets a slot owns.
async fn owned(db: &Db, slot: u16) -> usize {
    let mut tx = db.read().await.expect("a transaction");
    let leases = buckets::all(&mut tx).await.expect("readable leases");
    leases
        .iter()
        .filter(|(_, owner)| *owner == i64::from(slot))
        .count()
}

#[tokio::test]
async fn only_its_holder_gives_a_slot_back() {
    for_each_database(async |database| {
        let db = database.open().await;
        let slot = lease(&db, "one", LONG).await.slot.number;
        buckets::take(&db, slot, "one", 7).await.expect("buckets");
        // Whoever had the slot before, or believes that its holder is dead by what it read a moment ago.
        assert!(!nodes::free_slot(&db, slot, "another").await.expect("asked"));
        assert_eq!((live(&db).await.len(), owned(&db, slot).await), (1, 7));
        assert!(nodes::free_slot(&db, slot, "one").await.expect("asked"));
        assert_eq!((live(&db).await.len(), owned(&db, slot).await), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_slot_that_ran_out_under_a_living_session_is_passed_by() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let db = database.open().await;
    let stopped = lease(&db, "stopped", Duration::ZERO).await;
    until("the slot has run out", async || {
        live(&db).await.is_empty().then_some(())
    })
    .await;
    let next = lease(&db, "next", LONG).await;
    assert_ne!(next.slot.number, stopped.slot.number);
}

/// A node that looks every few milliseconds whether others are dead.
async fn restless_node(db: &Db, stop: CancellationToken) -> (u16, tokio::task::JoinHandle<()>) {
    let clock = Arc::new(SystemClock);
    let config = KeeperConfig {
        holder: holder_name(Holder::Node, clock.now()),
        ttl: Duration::from_secs(10),
        tick: Duration::from_millis(10),
    };
    let (keeper, _, _) = Keeper::start(db.clone(), config, clock, UnderWay::default())
        .await
        .expect("it starts");
    let slot = live(db).await[0].number;
    (slot, tokio::spawn(keeper.run(stop)))
}

/// Waits until every node has looked around again, by what it writes each time.
async fn ticks(database: &TestDatabase, count: i64) {
    const WRITTEN: &str = "SELECT CAST(MAX(id_floor) AS BIGINT) FROM node_slot";
    for _ in 0..count {
        let before = database.count(WRITTEN).await;
        until("a tick", async || {
            (database.count(WRITTEN).await != before).then_some(())
        })
        .await;
    }
}

fn config(database: &TestDatabase, folder: &std::path::Path) -> Config {
    let variables = [
        ("DATABASE__URL", database.url.clone()),
        ("DATA_DIR", folder.display().to_string()),
        ("SECRETS__KEYS", vestibule_tests::gateway::KEYS.to_owned()),
    ];
    let environment = variables.map(|(key, value)| (format!("VESTIBULE__{key}"), value));
    Config::load_with(None, environment).expect("a good configuration")
}

#[tokio::test]
async fn a_verb_keeps_its_slot_for_as_long_as_it_takes_and_takes_no_share() {
    for_each_database(async |database| {
        let db = database.open().await;
        let stop = CancellationToken::new();
        let (node, running) = restless_node(&db, stop.clone()).await;
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(&database, folder.path());

        let verb = Local::open(&config).await.expect("it opens");
        let during = live(&db).await;
        assert_eq!(during.len(), 2, "{during:?}");
        ticks(&database, 5).await;
        assert_eq!(live(&db).await, during, "the verb lives");
        assert_eq!(owned(&db, node).await, 256, "no bucket is left to a verb");
        verb.close().await.expect("it closes");
        assert_eq!(live(&db).await.len(), 1);

        // One that is killed: on PostgreSQL a node sees it and frees the slot long before it runs out.
        drop(Local::open(&config).await.expect("it opens"));
        if database.kind == Kind::Postgres {
            until("the dead verb's slot is free", async || {
                (live(&db).await.len() == 1).then_some(())
            })
            .await;
        }
        assert_eq!(owned(&db, node).await, 256, "nobody's buckets were freed");
        stop.cancel();
        running.await.expect("a clean end");
    })
    .await;
}
