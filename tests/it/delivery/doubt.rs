//! Sends in doubt: held, settled by a receipt, or ended by rule (promise 5).

use std::time::Duration;

use vestibule::domain::{Clock, DraftClass, OutboxId, OutboxState, ReceiptStatus, StreamKind};
use vestibule::storage::receipts::{self, ReceiptRow};
use vestibule::storage::{buckets, outbox, stream};
use vestibule_tests::{for_each_database, until};

use super::graph::Reply;
use super::ground::{Ground, TENANT, cut_off};

async fn receipt(ground: &Ground, outbox: OutboxId) {
    let row = ReceiptRow {
        outbox,
        tenant: TENANT,
        status: ReceiptStatus::Delivered,
        at: ground.clock.now(),
        error: 0,
        wamid: "wamid.BY.RECEIPT".into(),
        pricing: String::new(),
        time_zone: "UTC".into(),
    };
    let mut tx = ground.db.begin().await.expect("a transaction");
    receipts::apply_all_tenants(&mut tx, &[row], ground.clock.now())
        .await
        .expect("applied");
    tx.commit().await.expect("a commit");
}

/// What followers are told of a send, in order.
async fn told(ground: &Ground, send: OutboxId) -> Vec<StreamKind> {
    let mut tx = ground.db.read().await.expect("a transaction");
    let (lease, _) = buckets::all(&mut tx).await.expect("leases")[0];
    drop(tx);
    // The ids of the blocks: nothing else seals here.
    let mut ids = 1..;
    let next = || ids.next().expect("a number");
    stream::seal_all_tenants(&ground.db, lease, next)
        .await
        .expect("sealed");
    let mut tx = ground.db.read().await.expect("a transaction");
    let (events, _) = stream::after(&mut tx, TENANT, 0, 100).await.expect("read");
    let events = events.into_iter().map(|numbered| numbered.event);
    let own = events.filter(|event| event.subject == send.raw());
    own.map(|event| event.kind).collect()
}

#[tokio::test]
async fn a_reply_in_doubt_is_sent_once_more_and_then_given_up() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        ground.graph.answers([Reply::Nonsense, Reply::Nonsense]);
        let id = ground.commit_one(ground.reply(101, "hi")).await;
        let node = ground.start_impatient().await;
        let row = ground.until_state(id, OutboxState::Unknown).await;
        assert_eq!(row.doubts, 1);
        let row = ground
            .pass_until(&node, Duration::from_secs(10), id, OutboxState::Failed)
            .await;
        assert!(row.reason.starts_with("in_doubt"), "{}", row.reason);
        assert_eq!((row.doubts, row.attempts), (2, 2));
        assert_eq!(ground.graph.posted().len(), 2);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_one_time_code_in_doubt_is_never_sent_twice() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        ground.graph.answers([Reply::Error(131000)]);
        let id = ground
            .commit_one(ground.template(101, DraftClass::Authentication))
            .await;
        let node = ground.start_impatient().await;
        ground.until_state(id, OutboxState::Unknown).await;
        let row = ground
            .pass_until(&node, Duration::from_secs(20), id, OutboxState::Failed)
            .await;
        assert_eq!(row.error, Some(131000));
        assert_eq!(ground.graph.posted().len(), 1);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_receipt_settles_a_doubt_and_frees_its_conversation() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        ground.graph.answers([Reply::Nonsense]);
        let rows = ground
            .commit(vec![ground.reply(101, "one"), ground.reply(101, "two")])
            .await;
        let (one, two) = (rows[0].draft.id, rows[1].draft.id);
        let node = ground.start().await;
        ground.until_state(one, OutboxState::Unknown).await;
        receipt(&ground, one).await;
        ground.until_state(two, OutboxState::Accepted).await;
        let row = ground.row(one).await;
        assert_eq!(
            (row.state, row.wamid.as_deref()),
            (OutboxState::Accepted, Some("wamid.BY.RECEIPT"))
        );
        let sent = [StreamKind::MessageSent, StreamKind::MessageStatus];
        assert_eq!(told(&ground, one).await, sent);
        ground.clock.advance(Duration::from_secs(600));
        let probe = ground.commit_one(ground.reply(102, "probe")).await;
        ground
            .pass_until(&node, Duration::from_secs(1), probe, OutboxState::Accepted)
            .await;
        assert_eq!(ground.graph.texts(), ["one", "two", "probe"]);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_doubt_holds_its_conversation_for_thirty_seconds_at_most() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        cut_off(&ground);
        ground.graph.answers([Reply::Nonsense]);
        let rows = ground
            .commit(vec![ground.reply(101, "one"), ground.reply(101, "two")])
            .await;
        let (one, two) = (rows[0].draft.id, rows[1].draft.id);
        let node = ground.start().await;
        ground.until_state(one, OutboxState::Unknown).await;
        let probe = ground.commit_one(ground.reply(102, "probe")).await;
        ground.pass(&node, Duration::from_secs(29));
        ground.until_state(probe, OutboxState::Accepted).await;
        assert_eq!(ground.row(two).await.state, OutboxState::Queued);
        ground.pass(&node, Duration::from_secs(1));
        ground.until_state(two, OutboxState::Accepted).await;
        assert_eq!(ground.row(one).await.state, OutboxState::Unknown);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn grace_does_not_run_while_no_receipt_could_come() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        cut_off(&ground);
        ground.graph.answers([Reply::Nonsense]);
        let id = ground.commit_one(ground.reply(101, "hi")).await;
        let node = ground.start_impatient().await;
        ground.until_state(id, OutboxState::Unknown).await;
        for n in 0..3 {
            let probe = ground.commit_one(ground.reply(102, &n.to_string())).await;
            ground
                .pass_until(
                    &node,
                    Duration::from_secs(100),
                    probe,
                    OutboxState::Accepted,
                )
                .await;
        }
        assert_eq!(ground.row(id).await.state, OutboxState::Unknown);
        ground
            .receipts
            .store(true, std::sync::atomic::Ordering::Relaxed);
        until("it is sent once more", async || {
            ground.pass(&node, Duration::from_secs(20));
            (ground.row(id).await.state == OutboxState::Accepted).then_some(())
        })
        .await;
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_tick_without_an_answer_holds_no_reply_and_shows_nobody_typing_later() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        ground.graph.answers([Reply::Nonsense]);
        let rows = ground
            .commit(vec![ground.tick(101), ground.reply(101, "hi")])
            .await;
        let node = ground.start_impatient().await;
        ground
            .until_state(rows[1].draft.id, OutboxState::Accepted)
            .await;
        let tick = rows[0].draft.id;
        ground
            .pass_until(&node, Duration::from_secs(1), tick, OutboxState::Accepted)
            .await;
        let typing: Vec<bool> = ground.graph.posted().iter().map(|p| p.typing).collect();
        assert_eq!(typing, [true, false, false]);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_reply_that_went_out_again_is_listed_for_ever() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        ground.graph.answers([Reply::Nonsense]);
        let id = ground.commit_one(ground.reply(101, "hi")).await;
        let settled = ground.commit_one(ground.reply(102, "hi")).await;
        let node = ground.start_impatient().await;
        ground
            .pass_until(&node, Duration::from_secs(1), id, OutboxState::Accepted)
            .await;
        ground.until_state(settled, OutboxState::Accepted).await;
        receipt(&ground, id).await;
        let mut tx = ground.db.read().await.expect("a transaction");
        let listed = outbox::doubted_all_tenants(&mut tx, 10)
            .await
            .expect("a list");
        assert_eq!(listed.len(), 1, "{listed:?}");
        assert_eq!(listed[0].draft.id, id);
        let reason = &listed[0].reason;
        assert!(reason.starts_with("sent_once_more"), "{reason}");
        node.stop().await;
    })
    .await;
}
