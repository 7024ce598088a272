//! What Meta's errors do beyond the row that met them.

use std::time::Duration;

use vestibule::domain::{Clock, ContactId, ConversationId, DraftClass, OutboxState};
use vestibule::storage::claims::conversation_facts_all_tenants;
use vestibule::storage::holds::{Held, holds_all_tenants};
use vestibule::storage::people;
use vestibule_tests::{for_each_database, until};

use super::graph::Reply;
use super::ground::{Ground, NUMBER, PEOPLE, TENANT};

#[tokio::test]
async fn a_throttled_send_goes_again_before_what_follows_it() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        ground.graph.answers([Reply::Error(131056)]);
        let rows = ground
            .commit(vec![ground.reply(101, "one"), ground.reply(101, "two")])
            .await;
        let last = rows[1].draft.id;
        let node = ground.start().await;
        ground
            .pass_until(&node, Duration::from_secs(1), last, OutboxState::Accepted)
            .await;
        assert_eq!(ground.graph.texts(), ["one", "one", "two"]);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_burst_that_is_throttled_together_costs_its_number_a_fifth() {
    for_each_database(async |database| {
        let mut ground = Ground::lay(&database).await;
        // A burst of ten; a fifth less, of eight.
        ground.throughput = 80;
        ground.graph.answers(PEOPLE.map(|_| Reply::Error(130429)));
        let rows = ground
            .commit(PEOPLE.map(|person| ground.reply(person, "hi")).collect())
            .await;
        let node = ground.start().await;
        ground.until_posted(10).await;
        for row in &rows {
            until("its answer is recorded", async || {
                let row = ground.row(row.draft.id).await;
                (row.state == OutboxState::Queued && row.error == Some(130429)).then_some(())
            })
            .await;
        }
        ground.pass(&node, Duration::from_secs(5));
        ground.until_posted(18).await;
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_closed_window_closes_ours() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        ground.graph.answers([Reply::Error(131047)]);
        ground.clock.advance(Duration::from_secs(60));
        let rows = ground
            .commit(vec![ground.reply(101, "one"), ground.reply(101, "two")])
            .await;
        let node = ground.start().await;
        let failed = ground
            .until_state(rows[0].draft.id, OutboxState::Failed)
            .await;
        assert_eq!(failed.error, Some(131047));
        let refused = ground
            .until_state(rows[1].draft.id, OutboxState::Refused)
            .await;
        assert_eq!(refused.reason, "window_closed");
        let mut tx = ground.db.read().await.expect("a transaction");
        let ids = [ConversationId::from_raw(101)];
        let facts = conversation_facts_all_tenants(&mut tx, &ids)
            .await
            .expect("facts");
        assert!(facts[0].closed_by_meta_at.is_some());
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_block_that_nobody_here_knew_of_is_marked() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        ground.graph.answers([Reply::Error(130403)]);
        let rows = ground
            .commit(vec![ground.reply(101, "one"), ground.reply(101, "two")])
            .await;
        let node = ground.start().await;
        let failed = ground
            .until_state(rows[0].draft.id, OutboxState::Failed)
            .await;
        assert_eq!(failed.error, Some(130403));
        let refused = ground
            .until_state(rows[1].draft.id, OutboxState::Refused)
            .await;
        assert_eq!(refused.reason, "blocked");
        let records = database
            .texts("SELECT status || ' ' || channel FROM consent_record")
            .await;
        assert_eq!(records, ["withdrawn meta"]);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_marketing_stop_at_meta_is_in_the_consent_row() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        ground.graph.answers([Reply::Error(131050)]);
        let drafts = vec![
            ground.template(101, DraftClass::Marketing),
            ground.template(101, DraftClass::Marketing),
            ground.template(101, DraftClass::Utility),
        ];
        let rows = ground.commit(drafts).await;
        let node = ground.start().await;
        ground
            .until_state(rows[0].draft.id, OutboxState::Failed)
            .await;
        let refused = ground
            .until_state(rows[1].draft.id, OutboxState::Refused)
            .await;
        assert_eq!(refused.reason, "meta_marketing_stopped");
        ground
            .until_state(rows[2].draft.id, OutboxState::Accepted)
            .await;
        let mut tx = ground.db.read().await.expect("a transaction");
        let contact = [ContactId::from_raw(101)];
        let consent = people::read_consent_all_tenants(&mut tx, &contact)
            .await
            .expect("consent");
        let row = consent.of(contact[0]).expect("a consent row");
        assert!(row.state.meta_stopped_at.is_some());
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn errors_that_stop_a_scope_place_one_hold_each() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let codes = [190, 190, 131031, 133010, 132015, 131064];
        ground.graph.answers(codes.map(Reply::Error));
        let node = ground.start().await;
        let number = Held::Number(TENANT, NUMBER);
        let expected = 5;
        for (n, _) in codes.iter().enumerate() {
            let person = 101 + i64::try_from(n).expect("small");
            let id = ground
                .commit_one(ground.template(person, DraftClass::Utility))
                .await;
            ground
                .pass_until(&node, Duration::from_secs(3), id, OutboxState::Failed)
                .await;
        }
        let mut tx = ground.db.read().await.expect("a transaction");
        let holds = holds_all_tenants(&mut tx).await.expect("holds");
        assert_eq!(holds.len(), expected, "{holds:?}");
        drop(tx);
        let audited = "SELECT COUNT(*) FROM audit_entry WHERE action = 'hold.place' AND actor_kind = 'gateway'";
        assert_eq!(database.count(audited).await, 5);
        let placed = holds
            .iter()
            .find(|hold| hold.held == number)
            .expect("a hold of the number");
        assert!(
            placed.reason.contains("Register the number"),
            "{}",
            placed.reason
        );
        assert!(
            holds
                .iter()
                .any(|hold| matches!(hold.held, Held::Template(..)))
        );
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn who_has_had_enough_is_left_alone_and_many_of_them_put_the_brake_on() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let people = 201..=220;
        ground.add_people(people.clone()).await;
        ground.add_conversations(people.clone(), NUMBER, 0).await;
        ground
            .graph
            .answers(people.clone().map(|_| Reply::Error(131049)));
        let drafts = people.map(|person| ground.template(person, DraftClass::Marketing));
        let rows = ground.commit(drafts.collect()).await;
        let node = ground.start().await;
        for row in &rows {
            ground.until_state(row.draft.id, OutboxState::Failed).await;
        }
        let again = ground
            .commit(vec![ground.template(201, DraftClass::Marketing)])
            .await;
        let id = again[0].draft.id;
        node.intake.offer(again);
        let row = ground.until_state(id, OutboxState::Refused).await;
        assert_eq!(row.reason, "held_off");
        let mut tx = ground.db.read().await.expect("a transaction");
        let holds = holds_all_tenants(&mut tx).await.expect("holds");
        let [brake] = holds.as_slice() else {
            panic!("one brake: {holds:?}");
        };
        assert_eq!(brake.held, Held::NumberMarketing(TENANT, NUMBER));
        assert!(brake.until > Some(ground.clock.now()), "it ends by itself");
        drop(tx);
        node.stop().await;
    })
    .await;
}
