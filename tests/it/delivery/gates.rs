//! The second gate: what changes between the outbox and the claim, and between the claim and the POST (promise 4).

use std::time::Duration;

use vestibule::domain::template::{TemplateCategory, TemplateStatus};
use vestibule::domain::{AppId, Clock, Owner, OwnerChange};
use vestibule::domain::{
    Bucket, ContactId, ConversationId, DraftClass, NumberId, OutboxState, RawId,
};
use vestibule::policy::{ConsentWord, KnownTemplate, TemplateFact};
use vestibule::storage::raw::{self, Lane, NewRaw, Whose};
use vestibule::storage::{conversations, outbox, people};
use vestibule_tests::for_each_database;

use super::ground::{Ground, NUMBER, TENANT};

pub(super) async fn says_stop(ground: &Ground, person: i64) {
    says(ground, person, ConsentWord::OptOutAll).await;
}

pub(super) async fn says(ground: &Ground, person: i64, word: ConsentWord) {
    let mut tx = ground.db.begin().await.expect("a transaction");
    let contact = ContactId::from_raw(person);
    let consents = people::lock_consent_all_tenants(&mut tx, &[contact])
        .await
        .expect("consent");
    let mut consent = *consents.of(contact).expect("a consent row");
    let at = ground.clock.now();
    consent.state = consent.state.after_inbound(Some(word), at).0;
    assert!(
        people::set_consent(&mut tx, TENANT, &consent)
            .await
            .expect("written")
    );
    tx.commit().await.expect("a commit");
}

#[tokio::test]
async fn an_opt_out_between_queue_and_claim_refuses_the_send() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let stopped = ground
            .commit_one(ground.template(101, DraftClass::Utility))
            .await;
        let other = ground
            .commit_one(ground.template(102, DraftClass::Utility))
            .await;
        says_stop(&ground, 101).await;
        let node = ground.start().await;
        let row = ground.until_state(stopped, OutboxState::Refused).await;
        assert_eq!(row.reason, "opted_out");
        ground.until_state(other, OutboxState::Accepted).await;
        assert_eq!(ground.graph.posted().len(), 1);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_template_that_turns_marketing_stops_at_the_claim_for_who_stopped_marketing() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        says(&ground, 101, ConsentWord::OptOutMarketing).await;
        let stopped = ground
            .commit_one(ground.template(101, DraftClass::Utility))
            .await;
        let other = ground
            .commit_one(ground.template(102, DraftClass::Utility))
            .await;
        // Both were cleared as utility; what Meta calls it by now is another thing.
        *ground.template.lock().expect("a fact") = TemplateFact::Known(KnownTemplate {
            status: TemplateStatus::Approved,
            category: TemplateCategory::Marketing,
            shape: None,
        });
        let node = ground.start().await;
        let row = ground.until_state(stopped, OutboxState::Refused).await;
        assert_eq!(row.reason, "opted_out_marketing");
        ground.until_state(other, OutboxState::Accepted).await;
        assert_eq!(ground.graph.posted().len(), 1);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_is_too_old_to_begin_is_given_back_and_sent_once() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let stopwatch = ground.monotonic.clone();
        ground
            .gate
            .at_next(move || stopwatch.advance(Duration::from_secs(3)));
        let id = ground.commit_one(ground.reply(101, "hi")).await;
        let node = ground.start().await;
        let row = ground.until_state(id, OutboxState::Accepted).await;
        assert_eq!(
            row.attempts, 1,
            "the claim that was given back is no attempt"
        );
        assert_eq!(ground.graph.posted().len(), 1);
        node.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_while_a_claim_is_given_back_is_heard() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let id = ground
            .commit_one(ground.template(101, DraftClass::Utility))
            .await;
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let stopwatch = ground.monotonic.clone();
        let (opened, open) = tokio::sync::oneshot::channel::<()>();
        ground.gate.at_next(move || {
            let _ = opened.send(());
            let _ = tokio::task::block_in_place(|| receiver.recv());
            stopwatch.advance(Duration::from_secs(3));
        });
        let node = ground.start().await;
        open.await.expect("a claim");
        says_stop(&ground, 101).await;
        sender.send(()).expect("the gate waits");
        ground.until_state(id, OutboxState::Refused).await;
        assert!(ground.graph.posted().is_empty());
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_conversation_that_is_taken_over_gets_nothing_more_of_the_bot() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let bots = ground.commit_one(ground.reply(101, "bot")).await;
        let clients = ground
            .commit_one(ground.template(101, DraftClass::Utility))
            .await;
        let conversation = ConversationId::from_raw(101);
        let change = OwnerChange {
            from: Owner::Bot,
            to: Owner::Agent("ana".into()),
            reason: "take_over".into(),
            by: "ana".into(),
            note: None,
        };
        let now = ground.clock.now();
        let mut tx = ground.db.begin().await.expect("a transaction");
        conversations::change_owner(
            &mut tx,
            TENANT,
            conversation,
            &change,
            (ground.ids.next(now), 0),
            now,
        )
        .await
        .expect("changed");
        let cancelled = outbox::cancel_bot(&mut tx, TENANT, NUMBER, conversation, &change.to, now)
            .await
            .expect("cancelled");
        tx.commit().await.expect("a commit");
        assert_eq!(cancelled, 1);
        let node = ground.start().await;
        ground.until_state(clients, OutboxState::Accepted).await;
        assert_eq!(ground.row(bots).await.state, OutboxState::Cancelled);
        assert_eq!(ground.graph.posted().len(), 1);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_the_business_begins_waits_for_an_unread_webhook_and_replies_do_not() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let raw = RawId::from_raw(ground.ids.next(ground.clock.now()));
        unread(&ground, raw, Whose::Number(NUMBER)).await;
        let campaign = ground
            .commit_one(ground.template(101, DraftClass::Marketing))
            .await;
        let reply = ground.commit_one(ground.reply(101, "hi")).await;
        let node = ground.start().await;
        ground.until_state(reply, OutboxState::Accepted).await;
        assert_eq!(ground.row(campaign).await.state, OutboxState::Queued);
        let mut tx = ground.db.begin().await.expect("a transaction");
        raw::mark_attached_all_tenants(&mut tx, &[raw], ground.clock.now())
            .await
            .expect("attached");
        tx.commit().await.expect("a commit");
        ground
            .pass_until(
                &node,
                Duration::from_secs(1),
                campaign,
                OutboxState::Accepted,
            )
            .await;
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_webhook_of_another_number_in_the_bucket_is_not_waited_for() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let raw = RawId::from_raw(ground.ids.next(ground.clock.now()));
        let other = NumberId::from_raw(NUMBER.raw() + 1);
        unread(&ground, raw, Whose::Number(other)).await;
        let campaign = ground
            .commit_one(ground.template(101, DraftClass::Marketing))
            .await;
        let node = ground.start().await;
        ground.until_state(campaign, OutboxState::Accepted).await;
        node.stop().await;
    })
    .await;
}

/// A webhook in the bucket of [`NUMBER`] that waits for too long.
async fn unread(ground: &Ground, id: RawId, whose: Whose) {
    let row = NewRaw {
        id,
        app: AppId::from_raw(1),
        lane: Lane {
            bucket: Bucket::of(NUMBER),
            whose,
        },
        part_of: None,
        received_at: ground.clock.now().minus(Duration::from_secs(6)),
        body: b"{}".as_slice().into(),
    };
    let mut tx = ground.db.begin().await.expect("a transaction");
    raw::append_all_tenants(&mut tx, &[row], None)
        .await
        .expect("appended");
    tx.commit().await.expect("a commit");
}
