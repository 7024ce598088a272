//! A plugin that fills its memory turn after turn: it is refused at its quota, and the count is what the rows hold.

use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests};

use super::{all_done, say};

/// Room for four of the guest's values of 20,000 bytes and their keys.
const QUOTA: &str = "100000";
const FIT: usize = 4;
const CUSTOMERS: usize = 12;

async fn replies(database: &TestDatabase, like: &str) -> usize {
    let drafts = database.texts("SELECT draft FROM outbox").await;
    drafts.iter().filter(|draft| draft.contains(like)).count()
}

async fn assert_counted(database: &TestDatabase) {
    let sums = "SELECT COUNT(*) FROM plugin_kv_usage u WHERE u.bytes <> (
        SELECT COALESCE(SUM(LENGTH(k.value) + LENGTH(k.item)), 0) FROM plugin_kv k
        WHERE k.tenant = u.tenant AND k.plugin = u.plugin)";
    assert_eq!(database.count(sums).await, 0, "the count is the rows' sum");
    let most = database
        .count("SELECT CAST(MAX(bytes) AS BIGINT) FROM plugin_kv_usage")
        .await;
    assert!((80_000..=100_000).contains(&most), "{most} bytes in use");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_hoards_is_refused_at_its_quota_and_its_neighbour_is_not() {
    for_each_database(async |database| {
        let mut town = Town::with_plugin(&database, guests::HOARDER, &["kv"]).await;
        town.deployment = town.deployment.with("plugins.kv_total_bytes", QUOTA);
        let node = town.node("node").await;
        // All at once: turns that began while there was room find it used up at their commit.
        (0..CUSTOMERS).for_each(|customer| say(&town, 0, customer, "more"));
        all_done(&town, &database).await;
        assert_eq!(replies(&database, "kept").await, FIT);
        assert_eq!(replies(&database, "kv is full").await, CUSTOMERS - FIT);
        assert_counted(&database).await;
        // The other tenant has a quota of its own.
        say(&town, 2, 0, "more");
        all_done(&town, &database).await;
        assert_eq!(replies(&database, "kept").await, FIT + 1);
        assert_counted(&database).await;
        node.end().await;
    })
    .await;
}
