//! What a turn leaves in the database: the budget of design.md §8, on an ordinary turn.

use std::collections::BTreeMap;

use vestibule_tests::town::Town;
use vestibule_tests::{Kind, TestDatabase, for_each_database, guests};

use super::{all_done, say};

const CUSTOMERS: usize = 100;
const ROUNDS: usize = 5;
/// Pages of all tables and indexes, and the message's raw body. The raw bodies of its three receipts are webhooks of their
/// own, two kilobytes here and kept for days only: they are told beside it. Of the event stream only what its rows hold is counted:
/// how many there are depends on how long the turns take, since what comes together is sealed together.
const BUDGET: i64 = 3 << 10;

/// Bytes of each table (SQLite: and of each index). Without the room of dead versions of rows, which PostgreSQL's autovacuum gives to
/// new ones while it runs for real. No node may run: dead versions that its transactions may still see are kept.
async fn sizes(database: &TestDatabase) -> BTreeMap<String, i64> {
    let query = match database.kind {
        Kind::Sqlite => {
            "SELECT name || '=' || SUM(pgsize) FROM dbstat WHERE name NOT LIKE 'inbound_raw%' AND name NOT LIKE 'stream_b%' GROUP BY name"
        }
        Kind::Postgres => {
            database.texts("VACUUM FULL").await;
            "SELECT c.relname || '=' || pg_total_relation_size(c.oid) FROM pg_class c
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname NOT LIKE 'inbound_raw%'
             AND c.relname NOT LIKE 'stream_b%'"
        }
    };
    let lines = database.texts(query).await;
    let sizes = lines.iter().filter_map(|line| line.split_once('='));
    let stream = "SELECT COALESCE(CAST(SUM(LENGTH(body)) AS BIGINT), 0)
                  FROM (SELECT body FROM stream_block UNION ALL SELECT body FROM stream_batch) b";
    let stream = ("the event stream".to_owned(), database.count(stream).await);
    sizes
        .map(|(name, bytes)| (name.to_owned(), bytes.parse().expect("a number")))
        .chain([stream])
        .collect()
}

/// Rounds of a message each, by a node of their own.
async fn rounds(town: &Town, database: &TestDatabase, rounds: std::ops::Range<usize>) {
    let node = town.node("node").await;
    for n in rounds {
        (0..CUSTOMERS).for_each(|customer| say(town, 0, customer, &format!("line {n}")));
        all_done(town, database).await;
    }
    node.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_turn_is_stored_within_its_budget() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        // People, conversations and first pages are not a turn's.
        rounds(&town, &database, 0..1).await;
        let before = sizes(&database).await;
        rounds(&town, &database, 1..ROUNDS + 1).await;
        let grown: BTreeMap<String, i64> = sizes(&database)
            .await
            .into_iter()
            .map(|(name, bytes)| {
                let before = before.get(&name).copied().unwrap_or(0);
                (name, bytes - before)
            })
            .filter(|(_, bytes)| *bytes != 0)
            .collect();
        let turns = i64::try_from(CUSTOMERS * ROUNDS).expect("few");
        let raw = "SELECT CAST(AVG(LENGTH(r.body)) AS BIGINT) FROM inbound_raw r";
        let raw = database.count(raw).await;
        let each = grown.values().sum::<i64>() / turns + raw;
        let journal = database
            .count("SELECT CAST(AVG(LENGTH(journal)) AS BIGINT) FROM turn")
            .await;
        eprintln!(
            "stored for a turn: {each} bytes, of which the journal {journal}; raw bodies of its receipts about {}; all turns together: {grown:?}",
            3 * raw
        );
        assert!(each <= BUDGET, "{each} bytes");
    })
    .await;
}
