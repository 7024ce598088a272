//! Killed under load: every accepted webhook has exactly one turn, every turn exactly its sends, but for those in doubt,
//! which are settled by rule and listed.
//!
//! `VESTIBULE_KILLS=200 cargo test -p vestibule-tests --test it chaos` kills as often as you like; ten is the default.

use std::time::Duration;

use vestibule::storage::nodes;
use vestibule_tests::load::Load;
use vestibule_tests::town::{Balance, Town};
use vestibule_tests::{GatewayProcess, Kind, TestDatabase, guests, settle};

fn kills() -> usize {
    #[allow(
        clippy::disallowed_methods,
        reason = "how long a test runs is not the gateway's configuration"
    )]
    let kills = std::env::var("VESTIBULE_KILLS").ok();
    kills.and_then(|kills| kills.parse().ok()).unwrap_or(10)
}

/// Waits for everything, then holds the books against each other.
pub(crate) async fn check(database: &TestDatabase, town: &Town, accepted: i64) {
    let db = database.open().await;
    settle(&db).await;
    db.close().await;
    let balance = Balance::of(database, &town.meta).await;
    eprintln!("{accepted} webhooks accepted: {balance:?}");
    assert_eq!(
        (balance.events, balance.turns, balance.out_of_order),
        (accepted, accepted, 0),
        "{balance:?}"
    );
    assert_eq!(
        (balance.doubled, balance.missing, balance.overtaking),
        (0, 0, 0),
        "{balance:?}"
    );
    let sends = database.count("SELECT COUNT(*) FROM outbox").await;
    assert_eq!(sends, accepted, "one answer for each message, written once");
}

async fn town(database: &TestDatabase) -> Town {
    let mut town = Town::with_plugin(database, guests::ECHO, &[]).await;
    town.deployment = town.deployment.with("delivery.unknown_grace", "2s");
    town
}

#[tokio::test]
async fn sqlite_survives_kills_and_a_long_stop() {
    let database = TestDatabase::fresh(Kind::Sqlite)
        .await
        .expect("SQLite is always there");
    let town = town(&database).await;
    let mut node = town.deployment.start("node").await;
    town.meta
        .set_webhook(&node.webhook_url(), None)
        .expect("a URL");
    let load = Load::start(&town, vec![node.webhook_url()]);
    for kill in 0..kills() {
        load.more(7 + kill % 13).await;
        node.restart(&town.deployment);
        node.wait_until_ready().await;
    }
    // The only process stands still until nobody owns anything by the database's clock.
    load.more(20).await;
    node.stop();
    let db = database.open().await;
    vestibule_tests::until("the stopped node's lease has run out", async || {
        let mut tx = db.read().await.expect("a readable database");
        let live = nodes::live_slots(&mut tx).await.expect("readable slots");
        live.is_empty().then_some(())
    })
    .await;
    db.close().await;
    node.cont();
    load.more(20).await;
    let accepted = load.end().await;
    check(&database, &town, accepted).await;
    assert!(node.terminate().await.success(), "{}", node.logs());
}

#[tokio::test]
async fn two_postgres_nodes_survive_kills_and_a_long_stop() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let town = town(&database).await;
    let mut nodes: Vec<GatewayProcess> = vec![
        town.deployment.start("a").await,
        town.deployment.start("b").await,
    ];
    let urls: Vec<String> = nodes.iter().map(GatewayProcess::webhook_url).collect();
    town.meta.set_webhook(&urls[0], None).expect("a URL");
    let load = Load::start(&town, urls);
    for kill in 0..kills() {
        load.more(7 + kill % 13).await;
        let node = &mut nodes[kill % 2];
        node.restart(&town.deployment);
        node.wait_until_ready().await;
    }
    // A node that stands still past its lease wakes up as the owner of nothing.
    nodes[1].stop();
    vestibule_tests::wait::until_within(
        Duration::from_secs(60),
        "the other node owns every bucket",
        async || {
            let owned = database
            .count("SELECT COUNT(*) FROM bucket_lease GROUP BY slot ORDER BY COUNT(*) DESC LIMIT 1")
            .await;
            (owned == 256).then_some(())
        },
    )
    .await;
    load.more(20).await;
    nodes[1].cont();
    load.more(20).await;
    let accepted = load.end().await;
    check(&database, &town, accepted).await;
    for node in &mut nodes {
        assert!(node.terminate().await.success(), "{}", node.logs());
    }
}
