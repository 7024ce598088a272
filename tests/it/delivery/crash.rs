//! The node dies at each stage of a send, or loses its bucket: nothing is lost, nothing is doubled but by the rule.

use std::sync::Arc;
use std::time::Duration;

use vestibule::config::LogFormat;
use vestibule::domain::{DraftClass, OutboxState};
use vestibule::ownership::OwnedBuckets;
use vestibule::telemetry::Captured;
use vestibule_tests::{for_each_database, until};

use super::graph::Reply;
use super::ground::Ground;

#[tokio::test]
async fn a_row_that_was_only_committed_is_sent_by_the_next_node() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let node = ground.start().await;
        let rows = ground.commit(vec![ground.reply(101, "hi")]).await;
        node.crash().await;
        let node = ground.start().await;
        ground
            .until_state(rows[0].draft.id, OutboxState::Accepted)
            .await;
        assert_eq!(ground.graph.posted().len(), 1);
        node.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_never_called_is_in_doubt_and_ends_by_the_rule() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let id = ground
            .commit_one(ground.template(101, DraftClass::Utility))
            .await;
        let (opened, open) = tokio::sync::oneshot::channel::<()>();
        ground.gate.at_next_and_no_further(move || {
            let _ = opened.send(());
        });
        let node = ground.start().await;
        open.await.expect("a claim");
        assert_eq!(ground.row(id).await.state, OutboxState::Claimed);
        node.crash().await;
        let node = ground.start_impatient().await;
        let row = ground
            .pass_until(&node, Duration::from_secs(20), id, OutboxState::Failed)
            .await;
        assert_eq!(row.doubts, 1);
        assert!(ground.graph.posted().is_empty(), "it is never sent");
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_reply_whose_answer_the_crash_lost_is_sent_once_more_and_not_before_its_grace() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        ground.graph.answers([Reply::Silence]);
        let id = ground.commit_one(ground.reply(101, "hi")).await;
        let node = ground.start().await;
        ground.until_posted(1).await;
        node.crash().await;
        let node = ground.start_impatient().await;
        let row = ground.until_state(id, OutboxState::Unknown).await;
        assert_eq!(row.reason, "owner_lost");
        let probe = ground.commit_one(ground.reply(102, "probe")).await;
        ground
            .pass_until(
                &node,
                Duration::from_millis(1),
                probe,
                OutboxState::Accepted,
            )
            .await;
        assert_eq!(
            ground.graph.posted().len(),
            2,
            "the reply waits for its grace"
        );
        let row = ground
            .pass_until(&node, Duration::from_secs(20), id, OutboxState::Accepted)
            .await;
        assert_eq!((row.attempts, row.doubts), (2, 1));
        assert_eq!(ground.graph.posted().len(), 3);
        node.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lost_its_bucket_records_nothing_of_it() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let id = ground.commit_one(ground.reply(101, "hi")).await;
        let (opened, open) = tokio::sync::oneshot::channel::<()>();
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        ground.gate.at_next(move || {
            let _ = opened.send(());
            let _ = tokio::task::block_in_place(|| receiver.recv());
        });
        let node = ground.start().await;
        open.await.expect("a claim");
        let next = ground.take_buckets().await;
        sender.send(()).expect("the call waits");
        ground.until_posted(1).await;
        let probe = ground.commit_one(ground.reply(102, "probe")).await;
        ground.pass(&node, Duration::from_secs(2));
        node.owned
            .send(Arc::new(OwnedBuckets::default()))
            .expect("it watches");
        node.owned.send(Arc::new(next)).expect("it watches");
        ground.until_state(probe, OutboxState::Accepted).await;
        let row = ground.row(id).await;
        assert_eq!((row.state, row.wamid), (OutboxState::Unknown, None));
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_clean_stop_waits_for_answers_and_records_them() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let node = ground.start().await;
        let mut ids = Vec::new();
        for person in 101..=110 {
            ids.push(ground.commit_one(ground.reply(person, "hi")).await);
        }
        ground.pass(&node, Duration::from_millis(1));
        ground.until_posted(1).await;
        node.stop().await;
        for id in ids {
            let state = ground.row(id).await.state;
            assert!(
                matches!(state, OutboxState::Accepted | OutboxState::Queued),
                "{state:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn what_two_nodes_in_turn_send_is_sent_once() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let mut ids = Vec::new();
        for round in 0..5 {
            let drafts =
                (101..=110).map(|person| ground.reply(person, &format!("{person}:{round}")));
            ids.extend(
                ground
                    .commit(drafts.collect())
                    .await
                    .into_iter()
                    .map(|row| row.draft.id),
            );
        }
        let mut node = ground.start().await;
        for count in [7, 19, 31] {
            // What a crash left in doubt holds its conversation for 30 s: time must pass.
            until("enough was sent", async || {
                ground.pass(&node, Duration::from_secs(5));
                (ground.graph.posted().len() >= count).then_some(())
            })
            .await;
            node.crash().await;
            node = ground.start().await;
        }
        until("nothing waits", async || {
            let mut waiting = 0;
            for id in &ids {
                waiting += usize::from(ground.row(*id).await.state == OutboxState::Queued);
            }
            ground.pass(&node, Duration::from_secs(31));
            (waiting == 0).then_some(())
        })
        .await;
        let posted = ground.graph.posted();
        for id in ids {
            let times = posted.iter().filter(|one| one.outbox == Some(id)).count();
            let row = ground.row(id).await;
            assert!(
                times == 1 || row.doubts > 0,
                "{id} was sent {times} times: {row:?}"
            );
            assert!(times <= 2, "{id} was sent {times} times");
        }
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_claim_whose_commit_was_not_answered_is_made_again() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let id = ground.commit_one(ground.reply(101, "hi")).await;
        // Every claim fails, after which the node cannot know what became of it.
        database
            .execute("ALTER TABLE conversation RENAME TO elsewhere")
            .await;
        let logs = Captured::start(LogFormat::Text);
        let node = ground.start().await;
        until("a claim fails", async || {
            logs.text().contains("what=\"claim\"").then_some(())
        })
        .await;
        database
            .execute("UPDATE outbox SET state = 1, attempts = 1")
            .await;
        database
            .execute("ALTER TABLE elsewhere RENAME TO conversation")
            .await;
        ground
            .pass_until(&node, Duration::from_secs(1), id, OutboxState::Accepted)
            .await;
        assert_eq!(ground.graph.posted().len(), 1);
        node.stop().await;
    })
    .await;
}
