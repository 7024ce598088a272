//! What comes while nothing stands before it is attached by the commit that takes it in; everything else is kept first.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use vestibule::ingest::AttacherConfig;
use vestibule::storage::events::PendingEvent;
use vestibule_tests::{TestDatabase, for_each_database};

use super::desk::{Desk, NUMBERS, body, text};

const ADA: &str = "447700900123";

fn hello(desk: &Desk, wamid: &str, number: &str) -> Value {
    let words = text(wamid, Some(ADA), None, desk.ago(5), "hello");
    body(number, &[words])
}

async fn post(desk: &Desk, app: usize, said: &Value) {
    assert_eq!(desk.post_by(app, said).await, 200);
}

/// What was handed on so far.
fn handed_on(attached: &mut mpsc::Receiver<Vec<PendingEvent>>) -> Vec<(String, i64)> {
    let mut all = Vec::new();
    while let Ok(mut events) = attached.try_recv() {
        all.append(&mut events);
    }
    named(all)
}

fn named(events: Vec<PendingEvent>) -> Vec<(String, i64)> {
    let named = |event: PendingEvent| (event.wamid, event.seq);
    events.into_iter().map(named).collect()
}

async fn kept_bodies(database: &TestDatabase) -> usize {
    let bodies = "SELECT CAST(id AS TEXT) FROM inbound_raw";
    database.texts(bodies).await.len()
}

fn wamids(names: &[(&str, i64)]) -> Vec<(String, i64)> {
    let owned = |(name, seq): &(&str, i64)| ((*name).to_owned(), *seq);
    names.iter().map(owned).collect()
}

#[tokio::test]
async fn a_message_is_attached_by_the_commit_that_takes_it_in() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let mut attached = desk.attach_as_it_comes().await;
        post(&desk, 0, &hello(&desk, "wamid.A", NUMBERS[0])).await;
        post(&desk, 0, &hello(&desk, "wamid.B", NUMBERS[0])).await;
        // Meta sends it again.
        post(&desk, 0, &hello(&desk, "wamid.B", NUMBERS[0])).await;
        post(&desk, 0, &hello(&desk, "wamid.C", NUMBERS[0])).await;
        assert_eq!(desk.waiting().await, 0);
        assert_eq!(
            kept_bodies(&database).await,
            4,
            "what came is kept all the same"
        );
        let expected = wamids(&[("wamid.A", 1), ("wamid.B", 2), ("wamid.C", 3)]);
        assert_eq!(handed_on(&mut attached), expected);
    })
    .await;
}

#[tokio::test]
async fn behind_a_body_that_waits_those_of_its_number_wait_in_order() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let numbers = desk.owner.snapshot();
        let bucket = |name| numbers.number_named(name).map(|it| it.number.bucket());
        assert_ne!(bucket(NUMBERS[0]), bucket(NUMBERS[1]));
        // The first came to a node that attaches nothing as it comes.
        post(&desk, 0, &hello(&desk, "wamid.A", NUMBERS[0])).await;
        let mut attached = desk.attach_as_it_comes().await;
        post(&desk, 0, &hello(&desk, "wamid.B", NUMBERS[0])).await;
        post(&desk, 1, &hello(&desk, "wamid.C", NUMBERS[1])).await;
        assert_eq!(desk.waiting().await, 2);
        assert_eq!(handed_on(&mut attached), wamids(&[("wamid.C", 1)]));
        let late = named(desk.attach().await);
        assert_eq!(late, wamids(&[("wamid.A", 1), ("wamid.B", 2)]));
        post(&desk, 0, &hello(&desk, "wamid.D", NUMBERS[0])).await;
        assert_eq!(handed_on(&mut attached), wamids(&[("wamid.D", 3)]));
    })
    .await;
}

#[tokio::test]
async fn beside_others_that_wait_what_is_of_a_tenant_with_turns_enough_is_kept_first() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let flooded = desk.owner.snapshot();
        let flooded = flooded.number_named(NUMBERS[1]).expect("a number");
        let mut attached = desk.attach_as_it_comes().await;
        desk.leeway.tell_ahead(BTreeSet::from([flooded.tenant.id]));
        // While all may have all of it nobody is held back.
        post(&desk, 1, &hello(&desk, "wamid.A", NUMBERS[1])).await;
        assert_eq!(handed_on(&mut attached), wamids(&[("wamid.A", 1)]));
        desk.leeway.set(0.5);
        post(&desk, 1, &hello(&desk, "wamid.B", NUMBERS[1])).await;
        post(&desk, 0, &hello(&desk, "wamid.C", NUMBERS[0])).await;
        assert_eq!(handed_on(&mut attached), wamids(&[("wamid.C", 1)]));
        assert_eq!(desk.waiting().await, 1);
        // A few of a backlog go beside others.
        let late = named(desk.attach().await);
        assert_eq!(late, wamids(&[("wamid.B", 2)]));
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_another_number_of_the_bucket_holds_nothing_up() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        // As if the other number had the same bucket.
        post(&desk, 1, &hello(&desk, "wamid.A", NUMBERS[1])).await;
        let bucket = "UPDATE inbound_raw SET bucket = (SELECT bucket FROM number WHERE phone_number_id = '770001')";
        database.execute(bucket).await;
        let mut attached = desk.attach_as_it_comes().await;
        post(&desk, 0, &hello(&desk, "wamid.B", NUMBERS[0])).await;
        assert_eq!(desk.waiting().await, 1);
        assert_eq!(handed_on(&mut attached), wamids(&[("wamid.B", 1)]));
        // An earlier version did not write whose it is: it may be this number's.
        let forgotten = "UPDATE inbound_raw SET number = 0";
        database.execute(forgotten).await;
        post(&desk, 0, &hello(&desk, "wamid.C", NUMBERS[0])).await;
        assert_eq!(desk.waiting().await, 2);
        assert!(handed_on(&mut attached).is_empty());
        // What stands in another number's bucket is in a row of its own there, so only the last is left.
        assert_eq!(named(desk.attach().await), wamids(&[("wamid.C", 2)]));
    })
    .await;
}

#[tokio::test]
async fn what_an_earlier_version_kept_comes_first() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        post(&desk, 0, &hello(&desk, "wamid.A", NUMBERS[0])).await;
        post(&desk, 0, &hello(&desk, "wamid.B", NUMBERS[0])).await;
        let forgotten = "UPDATE inbound_raw SET number = 0";
        database.execute(forgotten).await;
        post(&desk, 0, &hello(&desk, "wamid.C", NUMBERS[0])).await;
        let expected = wamids(&[("wamid.A", 1), ("wamid.B", 2), ("wamid.C", 3)]);
        assert_eq!(named(desk.attach().await), expected);
    })
    .await;
}

#[tokio::test]
async fn of_a_body_for_two_buckets_the_free_ones_part_is_attached() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        desk.add_number(0, "770003").await;
        for directory in [&desk.owner, &desk.receiver] {
            directory.refresh().await.expect("readable setup");
        }
        post(&desk, 0, &hello(&desk, "wamid.A", NUMBERS[0])).await;
        let mut attached = desk.attach_as_it_comes().await;
        let mut both = hello(&desk, "wamid.B", NUMBERS[0]);
        let other = hello(&desk, "wamid.C", "770003");
        let entries = both["entry"].as_array_mut().expect("entries");
        entries.push(other["entry"][0].clone());
        post(&desk, 0, &both).await;
        assert_eq!(desk.waiting().await, 2, "the first body, and a part");
        assert_eq!(handed_on(&mut attached), wamids(&[("wamid.C", 1)]));
        let late = named(desk.attach().await);
        assert_eq!(late, wamids(&[("wamid.A", 1), ("wamid.B", 2)]));
    })
    .await;
}

/// SQLite's writer is waited for as long, and then by everybody.
#[tokio::test]
async fn who_holds_a_person_on_postgresql_holds_up_no_acknowledgement() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        if desk.db.is_sqlite() {
            return;
        }
        let mut attached = desk.attach_as_it_comes().await;
        post(&desk, 0, &hello(&desk, "wamid.A", NUMBERS[0])).await;
        assert_eq!(handed_on(&mut attached).len(), 1);
        let holder = sqlx::PgPool::connect(&database.url).await.expect("a pool");
        let mut held = holder.begin().await.expect("begun");
        for table in ["contact", "conversation"] {
            let lock = format!("SELECT 1 FROM {table} FOR UPDATE");
            let locked = sqlx::query(sqlx::AssertSqlSafe(lock))
                .execute(&mut *held)
                .await;
            locked.expect("locked");
        }
        // For as long as somebody holds the person.
        post(&desk, 0, &hello(&desk, "wamid.B", NUMBERS[0])).await;
        assert_eq!(desk.waiting().await, 1);
        // The next is not tried for a while.
        post(&desk, 1, &hello(&desk, "wamid.C", NUMBERS[1])).await;
        assert_eq!(desk.waiting().await, 2);
        held.rollback().await.expect("let go");
        assert_eq!(desk.attach().await.len(), 2);
        assert!(handed_on(&mut attached).is_empty());
        desk.clock.advance(Duration::from_secs(2));
        post(&desk, 0, &hello(&desk, "wamid.D", NUMBERS[0])).await;
        assert_eq!(handed_on(&mut attached), wamids(&[("wamid.D", 3)]));
    })
    .await;
}

#[tokio::test]
async fn a_long_backlog_is_not_looked_through() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        post(&desk, 1, &hello(&desk, "wamid.A", NUMBERS[1])).await;
        let more = "INSERT INTO inbound_raw (id, app, bucket, part_of, received_at, body)
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 256)
            SELECT r.id - i, r.app, r.bucket, 0, r.received_at, r.body FROM inbound_raw r, n RETURNING CAST(id AS TEXT)";
        assert_eq!(database.texts(more).await.len(), 256);
        let mut attached = desk.attach_as_it_comes().await;
        post(&desk, 0, &hello(&desk, "wamid.B", NUMBERS[0])).await;
        assert_eq!(desk.waiting().await, 258);
        assert!(handed_on(&mut attached).is_empty());
        assert_eq!(desk.attach().await.len(), 2);
    })
    .await;
}

/// Where no other node takes bodies in, this one knows whose its backlog is.
#[tokio::test]
async fn beside_a_long_backlog_of_its_own_a_node_attaches_what_is_of_other_numbers() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let mut attached = desk.attach_as_it_comes().await;
        let words = |n: usize| text(&format!("wamid.{n}"), Some(ADA), None, desk.ago(5), "hi");
        let many = body(NUMBERS[1], &(0..257).map(words).collect::<Vec<_>>());
        // Too much to be attached as it comes; whatever is of the same number waits behind it.
        post(&desk, 1, &many).await;
        for n in 0..256 {
            post(&desk, 1, &hello(&desk, &format!("wamid.B{n}"), NUMBERS[1])).await;
        }
        assert_eq!(desk.waiting().await, 257);
        post(&desk, 0, &hello(&desk, "wamid.C", NUMBERS[0])).await;
        let (at_once, waits) = match desk.db.is_sqlite() {
            true => (wamids(&[("wamid.C", 1)]), 257),
            false => (vec![], 258),
        };
        assert_eq!(handed_on(&mut attached), at_once);
        assert_eq!(desk.waiting().await, waits);
        let late = named(desk.attach().await);
        assert_eq!(late.len(), 513 + usize::from(!desk.db.is_sqlite()));
        // A node that cannot know kept all that came, for a while.
        desk.clock.advance(Duration::from_secs(2));
        post(&desk, 1, &hello(&desk, "wamid.D", NUMBERS[1])).await;
        assert_eq!(handed_on(&mut attached), wamids(&[("wamid.D", 514)]));
    })
    .await;
}

#[tokio::test]
async fn where_too_much_comes_together_bodies_are_kept_first_for_a_while() {
    for_each_database(async |database| {
        let one = AttacherConfig {
            most_at_once: 1,
            ..AttacherConfig::default()
        };
        let desk = Desk::with(&database, one).await;
        desk.add_number(0, "770003").await;
        for directory in [&desk.owner, &desk.receiver] {
            directory.refresh().await.expect("readable setup");
        }
        let mut attached = desk.attach_as_it_comes().await;
        let mut both = hello(&desk, "wamid.A", NUMBERS[0]);
        let other = hello(&desk, "wamid.B", "770003");
        let entries = both["entry"].as_array_mut().expect("entries");
        entries.push(other["entry"][0].clone());
        post(&desk, 0, &both).await;
        post(&desk, 1, &hello(&desk, "wamid.C", NUMBERS[1])).await;
        assert_eq!(
            desk.waiting().await,
            3,
            "two parts, and what came soon after them"
        );
        assert!(handed_on(&mut attached).is_empty());
        assert_eq!(desk.attach().await.len(), 3);
        desk.clock.advance(Duration::from_secs(2));
        post(&desk, 1, &hello(&desk, "wamid.D", NUMBERS[1])).await;
        assert_eq!(handed_on(&mut attached), wamids(&[("wamid.D", 2)]));
    })
    .await;
}

#[tokio::test]
async fn a_body_of_hundreds_of_messages_is_kept_first() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let mut attached = desk.attach_as_it_comes().await;
        let words = |n: usize| text(&format!("wamid.{n}"), Some(ADA), None, desk.ago(5), "hi");
        let of = |count: usize| body(NUMBERS[0], &(0..count).map(words).collect::<Vec<_>>());
        post(&desk, 0, &of(256)).await;
        assert_eq!(desk.waiting().await, 0);
        assert_eq!(handed_on(&mut attached).len(), 256);
        post(&desk, 0, &of(257)).await;
        assert_eq!(desk.waiting().await, 1);
        assert!(handed_on(&mut attached).is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_is_of_a_number_that_we_have_not_heard_of_waits_until_we_have() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let mut attached = desk.attach_as_it_comes().await;
        desk.add_number(0, "770003").await;
        post(&desk, 0, &hello(&desk, "wamid.A", "770003")).await;
        assert_eq!(desk.waiting().await, 1);
        assert!(handed_on(&mut attached).is_empty());
        assert_eq!(desk.attach().await.len(), 1);
        post(&desk, 0, &hello(&desk, "wamid.B", "770003")).await;
        assert_eq!(handed_on(&mut attached), wamids(&[("wamid.B", 2)]));
    })
    .await;
}

#[tokio::test]
async fn what_is_not_ours_is_kept_for_whose_it_is() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let mut attached = desk.attach_as_it_comes().await;
        desk.lose_all();
        post(&desk, 0, &hello(&desk, "wamid.A", NUMBERS[0])).await;
        assert_eq!(desk.waiting().await, 1);
        assert!(handed_on(&mut attached).is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_node_that_has_lost_its_buckets_unawares_keeps_what_comes_and_attaches_nothing() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let mut attached = desk.attach_as_it_comes().await;
        let taken = "UPDATE bucket_lease SET epoch = epoch + 1 RETURNING CAST(bucket AS TEXT)";
        assert_eq!(database.texts(taken).await.len(), 256);
        post(&desk, 0, &hello(&desk, "wamid.A", NUMBERS[0])).await;
        assert_eq!(desk.waiting().await, 1);
        assert_eq!(kept_bodies(&database).await, 1);
        assert!(handed_on(&mut attached).is_empty());
        let events = "SELECT wamid FROM inbound_event";
        assert!(database.texts(events).await.is_empty());
    })
    .await;
}
