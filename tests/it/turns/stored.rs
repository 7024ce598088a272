//! What a turn leaves in the database: the budget of design.md §8, on an ordinary turn.

use vestibule_tests::town::Town;
use vestibule_tests::{Kind, TestDatabase, for_each_database, guests};

use super::{all_done, say};

const CUSTOMERS: usize = 100;
const ROUNDS: usize = 5;
/// Pages of all tables and indexes, and the message's raw body. The raw bodies of its three receipts are webhooks of their
/// own, two kilobytes here and kept for days only: they are told beside it.
const BUDGET: i64 = 3 << 10;

/// Without the room of dead versions of rows, which PostgreSQL's autovacuum gives to new ones while it runs for real.
async fn bytes(database: &TestDatabase) -> i64 {
    if database.kind == Kind::Postgres {
        eprintln!("with dead versions: {} bytes in all", pages(database).await);
        database.texts("VACUUM FULL").await;
    }
    pages(database).await
}

async fn pages(database: &TestDatabase) -> i64 {
    let query = match database.kind {
        Kind::Sqlite => "SELECT SUM(pgsize) FROM dbstat WHERE name NOT LIKE 'inbound_raw%'",
        Kind::Postgres => {
            "SELECT CAST(SUM(pg_total_relation_size(c.oid)) AS BIGINT) FROM pg_class c
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname NOT LIKE 'inbound_raw%'"
        }
    };
    database.count(query).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_turn_is_stored_within_its_budget() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let node = town.node("node").await;
        let round = async |n: usize| {
            (0..CUSTOMERS).for_each(|customer| say(&town, 0, customer, &format!("line {n}")));
            all_done(&town, &database).await;
        };
        // People, conversations and first pages are not a turn's.
        round(0).await;
        let before = bytes(&database).await;
        for n in 1..=ROUNDS {
            round(n).await;
        }
        let turns = i64::try_from(CUSTOMERS * ROUNDS).expect("few");
        let raw = "SELECT CAST(AVG(LENGTH(r.body)) AS BIGINT) FROM inbound_raw r";
        let raw = database.count(raw).await;
        let each = (bytes(&database).await - before) / turns + raw;
        let journal = database
            .count("SELECT CAST(AVG(LENGTH(journal)) AS BIGINT) FROM turn")
            .await;
        eprintln!(
            "stored for a turn: {each} bytes, of which the journal {journal}; raw bodies of its receipts about {}",
            3 * raw
        );
        assert!(each <= BUDGET, "{each} bytes");
        node.end().await;
    })
    .await;
}
