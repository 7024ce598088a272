//! A backlog of any size is worked off in transactions of bounded size.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::domain::{Clock, OutboxId};
use vestibule::ingest::AttacherConfig;
use vestibule_tests::for_each_database;

use super::desk::{Desk, NUMBERS, body, status, text};
use super::sends::{opened, queued, template};
use vestibule::domain::DraftClass;

const BODIES: usize = 40;
const EACH: usize = 1_000;
/// Sends of ours among all those ids: some at both ends, so that no statement can pass by them.
const OURS: usize = 100;

fn body_of(statuses: &[Value]) -> Value {
    body(NUMBERS[0], &[json!({ "statuses": statuses })])
}

#[tokio::test]
async fn forty_posts_of_a_thousand_receipts_that_waited_are_attached() {
    for_each_database(async |database| {
        // As large a transaction as the bodies allow: statements must not grow with it.
        let config = AttacherConfig {
            most_bytes: usize::MAX >> 1,
            most_items: usize::MAX,
            ..AttacherConfig::default()
        };
        let desk = Desk::with(&database, config).await;
        let conversation = opened(&desk, &database).await;
        let ours = queued(&desk, &conversation, template(DraftClass::Marketing), OURS).await;
        let now = desk.clock.now();
        let mut ids: Vec<OutboxId> = ours.iter().map(|row| row.draft.id).collect();
        ids.extend((OURS..BODIES * EACH).map(|_| OutboxId::from_raw(desk.ids.next(now))));
        for ids in ids.chunks(EACH) {
            let at = desk.ago(1);
            let failed =
                |id: &OutboxId| status(&id.to_string(), "wamid.A", "failed", at, Some(131_050));
            let statuses: Vec<Value> = ids.iter().map(failed).collect();
            assert_eq!(desk.post_by(0, &body_of(&statuses)).await, 200);
        }
        assert_eq!(desk.waiting().await, 40);
        desk.attach().await;
        let receipts = database
            .count("SELECT COUNT(*) FROM receipt WHERE status = 9")
            .await;
        assert_eq!(receipts, i64::try_from(OURS).expect("small"));
        let failed =
            database.count("SELECT COUNT(*) FROM outbox WHERE receipt = 9 AND error = 131050");
        assert_eq!(failed.await, receipts);
    })
    .await;
}

/// The messages that are attached, by transaction, until there are so many.
async fn batches(desk: &Desk, messages: usize) -> Vec<Vec<String>> {
    let (events, mut attached) = tokio::sync::mpsc::channel(200);
    let stop = tokio_util::sync::CancellationToken::new();
    let attaching = tokio::spawn(Arc::new(desk.attacher(events)).run(stop.clone()));
    let (mut seen, mut batches) = (0, Vec::new());
    while seen < messages {
        let batch = attached.recv().await.expect("messages");
        seen += batch.len();
        batches.push(batch.into_iter().map(|event| event.wamid).collect());
    }
    stop.cancel();
    attaching.await.expect("it ends");
    batches
}

#[tokio::test]
async fn while_turns_wait_the_backlog_of_one_number_goes_slowly_and_what_others_have_at_once() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let hello = |wamid: String, number: &str| {
            let ada = Some("447700900123");
            body(number, &[text(&wamid, ada, None, desk.ago(5), "hi")])
        };
        let backlog = 100;
        for n in 0..backlog {
            let said = hello(format!("wamid.{n}"), NUMBERS[1]);
            assert_eq!(desk.post_by(1, &said).await, 200);
        }
        for n in 0..3 {
            let said = hello(format!("wamid.Q{n}"), NUMBERS[0]);
            assert_eq!(desk.post_by(0, &said).await, 200);
        }
        desk.leeway.set(0.5);
        desk.backlogs.add_others(1);
        let batches = batches(&desk, backlog + 3).await;
        let sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
        let wamids: Vec<String> = batches.concat();
        let of_backlog = (0..backlog).map(|n| format!("wamid.{n}"));
        let in_order: Vec<String> = (0..3)
            .map(|n| format!("wamid.Q{n}"))
            .chain(of_backlog)
            .collect();
        assert_eq!(wamids, in_order);
        // Eight with the others or after them, and eight more at most because there were others; then nobody is let before.
        assert!([3, 11].contains(&sizes[0]), "{sizes:?}");
        assert!(sizes[1] == 8 && sizes[2] > 8, "{sizes:?}");
    })
    .await;
}

#[tokio::test]
async fn a_batch_ends_with_the_body_that_fills_it_by_bytes_or_by_items() {
    let default = AttacherConfig::default();
    let by_bytes = AttacherConfig {
        most_bytes: 1,
        ..default
    };
    let by_items = AttacherConfig {
        most_items: 3,
        ..default
    };
    // Bodies of two messages each: one a transaction, and two.
    for (config, transactions) in [(by_bytes, 4), (by_items, 2), (default, 1)] {
        for_each_database(async |database| {
            let desk = Desk::with(&database, config).await;
            for n in 0..4 {
                let at = desk.ago(5);
                let say = |m| {
                    text(
                        &format!("wamid.{n}.{m}"),
                        Some("447700900123"),
                        None,
                        at,
                        "hi",
                    )
                };
                let status = desk.post_by(0, &body(NUMBERS[0], &[say(0), say(1)])).await;
                assert_eq!(status, 200);
                desk.clock.advance(Duration::from_millis(1));
            }
            let batches = batches(&desk, 8).await;
            let seen = batches.concat().len();
            assert_eq!((seen, batches.len()), (8, transactions), "{config:?}");
        })
        .await;
    }
}
