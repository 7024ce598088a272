//! Order and pace.

use std::time::Duration;

use vestibule::delivery::DeliveryConfig;
use vestibule::domain::{ConversationId, Draft, NumberId, OutboxState};
use vestibule_tests::for_each_database;

use super::ground::{Ground, NUMBER, PEOPLE};

#[tokio::test]
async fn sends_of_a_conversation_arrive_in_order_and_one_at_a_time() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let node = ground.start().await;
        for round in 0..8 {
            let drafts = PEOPLE.map(|person| ground.reply(person, &format!("{person}:{round}")));
            node.intake.offer(ground.commit(drafts.collect()).await);
        }
        ground.until_posted(80).await;
        for person in PEOPLE {
            let mine = format!("{person}:");
            let texts = ground.graph.texts();
            let rounds: Vec<&str> = texts
                .iter()
                .filter_map(|text| text.strip_prefix(&mine))
                .collect();
            assert_eq!(rounds, ["0", "1", "2", "3", "4", "5", "6", "7"]);
        }
        assert!(!ground.graph.crossed());
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn rows_that_nobody_offered_are_found() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let before = ground
            .commit_one(ground.reply(101, "before the start"))
            .await;
        let node = ground.start().await;
        ground.until_state(before, OutboxState::Accepted).await;
        let after = ground
            .commit_one(ground.reply(101, "after the start"))
            .await;
        let row = ground
            .pass_until(
                &node,
                Duration::from_millis(500),
                after,
                OutboxState::Accepted,
            )
            .await;
        assert_eq!(row.wamid, Some(format!("wamid.{after}")));
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_queue_smaller_than_the_work_keeps_the_order() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let config = DeliveryConfig {
            queue_per_number: 4,
            ..DeliveryConfig::default()
        };
        let node = ground.start_with(config).await;
        for round in 0..30 {
            let drafts = vec![
                ground.reply(101, &format!("{round:02}")),
                ground.reply(102, "other"),
            ];
            node.intake.offer(ground.commit(drafts).await);
        }
        ground.until_posted(60).await;
        let texts: Vec<String> = ground
            .graph
            .texts()
            .into_iter()
            .filter(|text| text != "other")
            .collect();
        assert!(texts.is_sorted(), "{texts:?}");
        assert_eq!(texts.len(), 30);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_46th_message_in_a_row_to_a_person_waits_six_seconds_and_a_restart_forgets_nothing() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let node = ground.start().await;
        let drafts = (0..46).map(|n| ground.reply(101, &n.to_string())).collect();
        let last = ground
            .commit(drafts)
            .await
            .last()
            .expect("46 rows")
            .draft
            .id;
        let other = ground.commit_one(ground.reply(102, "other")).await;
        ground.pass(&node, Duration::from_millis(1));
        ground.until_posted(46).await;
        ground.until_state(other, OutboxState::Accepted).await;
        node.stop().await;
        let node = ground.start().await;
        let probe = ground.commit_one(ground.reply(103, "probe")).await;
        ground.pass(&node, Duration::from_secs(5));
        ground.until_state(probe, OutboxState::Accepted).await;
        assert_eq!(ground.row(last).await.state, OutboxState::Queued);
        ground.pass(&node, Duration::from_secs(1));
        ground.until_state(last, OutboxState::Accepted).await;
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_tick_goes_before_its_answer_and_has_no_receipts() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let node = ground.start().await;
        let rows = ground
            .commit(vec![ground.tick(101), ground.reply(101, "hi")])
            .await;
        let ids: Vec<_> = rows.iter().map(|row| row.draft.id).collect();
        node.intake.offer(rows);
        ground.until_state(ids[1], OutboxState::Accepted).await;
        assert_eq!(ground.row(ids[0]).await.state, OutboxState::Accepted);
        assert_eq!(ground.graph.posted()[0].outbox, None);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_customers_send_counts_into_the_numbers_throughput() {
    for_each_database(async |database| {
        let mut ground = Ground::lay(&database).await;
        ground.throughput = 8;
        let first = ground.commit_one(ground.reply(101, "hi")).await;
        let node = ground.start().await;
        ground.until_state(first, OutboxState::Accepted).await;
        ground.pass(&node, Duration::from_secs(10));
        node.intake.received([NUMBER; 100]);
        let reply = ground.commit(vec![ground.reply(102, "hi")]).await;
        let waits = reply[0].draft.id;
        node.intake.offer(reply);
        // Another number's goes, and shows that this one's could have gone.
        let other = NumberId::from_raw(8);
        ground.add_conversations(103..=103, other, 1_000).await;
        let probe = Draft {
            number: other,
            conversation: ConversationId::from_raw(1_103),
            ..ground.reply(103, "probe")
        };
        let probe = ground.commit(vec![probe]).await;
        let gone = probe[0].draft.id;
        node.intake.offer(probe);
        ground.until_state(gone, OutboxState::Accepted).await;
        assert_eq!(ground.row(waits).await.state, OutboxState::Queued);
        ground.pass(&node, Duration::from_millis(1_200));
        ground.until_state(waits, OutboxState::Accepted).await;
        node.stop().await;
    })
    .await;
}
