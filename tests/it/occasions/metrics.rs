//! A plugin that counts under ever new names: it gets so many a day, and what it counted before goes on being counted.

use serde_json::Value;
use vestibule_tests::{TestDatabase, for_each_database};

use super::ground::Ground;

const NAMES_A_DAY: i64 = 200;
/// New names of one turn, and turns after which two days are full, should the test see midnight.
const NEW: usize = 30;
const TURNS: usize = 14;

async fn refused(database: &TestDatabase) -> usize {
    let journals = database.texts("SELECT journal FROM turn").await;
    let refused = journals.iter().map(|journal| {
        let journal: Value = serde_json::from_str(journal).expect("a journal is JSON");
        journal["metrics_refused"].as_array().map_or(0, Vec::len)
    });
    refused.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_counts_under_ever_new_names_gets_so_many_a_day() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        let mut turns = 0;
        // One turn goes on beyond the one that was refused something first.
        let mut last = false;
        while !last && turns < TURNS {
            last = refused(&database).await > 0;
            ground
                .customer
                .text(format!("metrics {NEW}"))
                .expect("sent");
            ground.all_done().await;
            turns += 1;
        }
        let full = "SELECT MAX(names) FROM
            (SELECT COUNT(*) AS names FROM plugin_metric_name GROUP BY tenant, plugin, day) AS days";
        assert_eq!(database.count(full).await, NAMES_A_DAY);
        // Each but `visits` is one turn's alone.
        let kept = "SELECT COUNT(DISTINCT name) FROM plugin_metric";
        let kept = usize::try_from(database.count(kept).await).expect("few");
        assert_eq!(kept - 1 + refused(&database).await, turns * NEW);
        let visits = "SELECT CAST(SUM(samples) AS BIGINT) FROM plugin_metric WHERE name = 'visits'";
        let visits = usize::try_from(database.count(visits).await).expect("few");
        assert_eq!(visits, turns, "what is known is counted for ever");
        ground.node.end().await;
    })
    .await;
}
