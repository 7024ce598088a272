//! Work that moves from node to node while customers write: by plan, and because a node stands still.

use vestibule::simulator::{Fault, FaultKind};
use vestibule_tests::load::Load;
use vestibule_tests::town::Town;
use vestibule_tests::{GatewayProcess, Kind, TestDatabase, guests, until};

use crate::chaos::check;

/// Longer than most of Meta's answers take: at every moment some are under way.
const ANSWER_MS: u64 = 120;

async fn busy_town(database: &TestDatabase) -> Town {
    let town = Town::with_plugin(database, guests::ECHO, &[]).await;
    town.meta.fault(Fault {
        count: u32::MAX,
        number: None,
        recipient: None,
        kind: FaultKind::SlowMs(ANSWER_MS),
    });
    town
}

#[tokio::test]
async fn nodes_join_and_leave_and_nothing_is_lost_doubled_or_in_doubt() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let town = busy_town(&database).await;
    let mut leaves = town.deployment.start("a").await;
    let stays = town.deployment.start("b").await;
    let urls = [&leaves, &stays].map(GatewayProcess::webhook_url);
    town.meta.set_webhook(&urls[1], None).expect("a URL");
    until_shared(&database, 2).await;
    let load = Load::start(&town, urls.to_vec());
    load.more(40).await;
    // Who joins gets its share from both, who leaves gives all of its own: three times, so that every number moves.
    for name in ["c", "d", "e"] {
        let joins = town.deployment.start(name).await;
        until_shared(&database, 3).await;
        load.more(40).await;
        assert!(leaves.terminate().await.success(), "{}", leaves.logs());
        until_shared(&database, 2).await;
        load.more(40).await;
        leaves = joins;
    }
    let accepted = load.end().await;
    town.meta.clear_faults();
    check(&database, &town, accepted).await;
    let doubted = "SELECT COUNT(*) FROM outbox WHERE doubts > 0";
    assert_eq!(
        database.count(doubted).await,
        0,
        "answers of sends under way were thrown away"
    );
    for node in [&mut leaves, &mut { stays }] {
        assert!(node.terminate().await.success(), "{}", node.logs());
    }
}

#[tokio::test]
async fn a_node_starts_beside_one_that_stands_still_and_gets_its_work() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let town = Town::without_plugin(&database).await;
    let stands = town.deployment.start("a").await;
    until_shared(&database, 1).await;
    stands.stop();
    until("its lease has run out", async || {
        let live = live_nodes(&database).await;
        (live == 0).then_some(())
    })
    .await;
    let mut starts = town.deployment.start("b").await;
    let theirs = "SELECT COUNT(*) FROM bucket_lease l JOIN node_slot n ON n.slot = l.slot
         WHERE n.expires_at >= CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
    until("it owns everything", async || {
        (database.count(theirs).await == 256).then_some(())
    })
    .await;
    assert!(starts.terminate().await.success(), "{}", starts.logs());
}

async fn live_nodes(database: &TestDatabase) -> i64 {
    database
        .count(
            "SELECT COUNT(*) FROM node_slot
             WHERE expires_at >= CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        )
        .await
}

/// Waits until so many nodes own everything, each about as much as the others.
async fn until_shared(database: &TestDatabase, nodes: i64) {
    until("the buckets are balanced", async || {
        let owners = "SELECT COUNT(DISTINCT slot) FROM bucket_lease WHERE slot <> -1";
        let least = "SELECT MIN(n) FROM (SELECT COUNT(*) AS n FROM bucket_lease GROUP BY slot) s";
        let unowned = "SELECT COUNT(*) FROM bucket_lease WHERE slot = -1";
        let fair = database.count(least).await >= 256 / nodes - nodes;
        let all = database.count(unowned).await == 0;
        (fair && all && database.count(owners).await == nodes).then_some(())
    })
    .await;
}
