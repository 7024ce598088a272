//! Many conversations of one tenant read and write the same key of their plugin's memory: every turn counts once, and
//! none is re-run for ever.

use serde_json::Value;
use vestibule_tests::town::{Balance, Town};
use vestibule_tests::{Kind, TestDatabase, for_each_database, guests};

use super::{all_done, say};

const CUSTOMERS: usize = 60;
const EACH: usize = 3;
/// Lost races after which a turn runs alone, and so wins.
const RACES: u64 = 3;

async fn journals(database: &TestDatabase) -> Vec<Value> {
    let journals = database
        .texts("SELECT journal FROM turn ORDER BY id")
        .await
        .into_iter();
    journals
        .map(|journal| serde_json::from_str(&journal).expect("a journal is JSON"))
        .collect()
}

fn most_races(journals: &[Value]) -> u64 {
    let races = journals
        .iter()
        .map(|journal| journal["lost_races"].as_u64().unwrap_or(0));
    races.max().unwrap_or(0)
}

/// Everybody speaks, on both numbers of the first tenant.
fn speak(town: &Town) {
    for round in 0..EACH {
        for customer in 0..CUSTOMERS {
            say(town, customer % 2, customer, &format!("round {round}"));
        }
    }
}

/// Every turn counted once, and told its customer another number: its effects happened once, however often it ran.
async fn assert_exact(database: &TestDatabase, town: &Town) {
    let turns = CUSTOMERS * EACH;
    let balance = Balance::of(database, &town.meta).await;
    let expected = Balance {
        events: i64::try_from(turns).expect("few"),
        turns: i64::try_from(turns).expect("few"),
        ..Balance::default()
    };
    assert_eq!(balance, expected);
    let drafts = database
        .texts("SELECT draft FROM outbox")
        .await
        .into_iter()
        .map(|draft| serde_json::from_str::<Value>(&draft).expect("a draft is JSON"));
    let mut told: Vec<usize> = drafts.map(|draft| counted(&draft)).collect();
    told.sort_unstable();
    assert_eq!(told, (1..=turns).collect::<Vec<_>>());
}

/// The number in a reply's body, wherever the draft keeps it.
fn counted(draft: &Value) -> usize {
    fn body(value: &Value) -> Option<&str> {
        let object = value.as_object()?;
        let own = object.get("body").and_then(Value::as_str);
        own.or_else(|| object.values().find_map(body))
    }
    let body = body(draft).unwrap_or_else(|| panic!("no body in {draft}"));
    body.parse().expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_all_conversations_write_is_exact_and_nobody_runs_without_end() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::HOT_KEY, &["kv"]).await;
        let node = town.node("node").await;
        speak(&town);
        all_done(&town, &database).await;
        assert_exact(&database, &town).await;
        let most = most_races(&journals(&database).await);
        eprintln!("at most {most} lost races");
        assert!((1..=RACES).contains(&most), "{most} lost races");
        node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_share_a_key_lose_no_count() {
    let Some(database) = TestDatabase::fresh(Kind::Postgres).await else {
        return;
    };
    let town = Town::with_plugin(&database, guests::HOT_KEY, &["kv"]).await;
    let first = town.node("first").await;
    let second = town.node("second").await;
    speak(&town);
    all_done(&town, &database).await;
    assert_exact(&database, &town).await;
    let most = most_races(&journals(&database).await);
    eprintln!("at most {most} lost races on two nodes");
    first.end().await;
    second.end().await;
}
