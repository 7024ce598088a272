//! What a turn leaves in the database: the budget of design.md §8, on an ordinary turn.

use vestibule_tests::town::Town;
use vestibule_tests::{Kind, TestDatabase, for_each_database, guests};

use super::{all_done, say, start};

const CUSTOMERS: usize = 100;
const ROUNDS: usize = 5;
/// All tables and indexes, receipts and raw bodies included.
const BUDGET: i64 = 3 << 10;

async fn bytes(database: &TestDatabase) -> i64 {
    let query = match database.kind {
        Kind::Sqlite => "SELECT SUM(pgsize) FROM dbstat",
        Kind::Postgres => {
            "SELECT CAST(SUM(pg_total_relation_size(c.oid)) AS BIGINT) FROM pg_class c
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'r'"
        }
    };
    database.count(query).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_turn_is_stored_within_its_budget() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        let node = start(&town, "node").await;
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
        let each = (bytes(&database).await - before) / turns;
        let journal = database
            .count("SELECT CAST(AVG(LENGTH(journal)) AS BIGINT) FROM turn")
            .await;
        if database.kind == Kind::Sqlite {
            for line in database.texts("SELECT name || ' ' || CAST(SUM(pgsize) AS TEXT) || ' unused ' || CAST(SUM(unused) AS TEXT) FROM dbstat GROUP BY name HAVING SUM(pgsize) > 10000 ORDER BY SUM(pgsize) DESC").await { eprintln!("{line}"); }
            for line in database.texts("SELECT 'raw ' || CAST(AVG(LENGTH(body)) AS TEXT) || ' n ' || CAST(COUNT(*) AS TEXT) FROM inbound_raw UNION ALL SELECT 'outbox draft ' || CAST(AVG(LENGTH(draft)) AS TEXT) || ' ' || MAX(draft) FROM outbox UNION ALL SELECT journal FROM (SELECT journal FROM turn LIMIT 1) UNION ALL SELECT 'events ' || CAST(AVG(LENGTH(content)) AS TEXT) || ' ' || CAST(COUNT(*) AS TEXT) FROM inbound_event UNION ALL SELECT 'receipts ' || CAST(COUNT(*) AS TEXT) FROM receipt").await { eprintln!("{line}"); }
        }
        eprintln!("stored for a turn: {each} bytes, of which the journal {journal}");
        assert!(each <= BUDGET, "{each} bytes");
        node.end().await;
    })
    .await;
}
