//! Two contacts turn out to be one person: what was queued for the old one obeys the survivor's consent (promise 4).

use std::time::Duration;

use vestibule::domain::{Clock, ContactId, DraftClass, IdentityKind, OutboxState};
use vestibule::policy::{ConsentState, ConsentWord, OptOut};
use vestibule::storage::people::{self, IdentityKey};
use vestibule_tests::for_each_database;

use super::gates::{says, says_stop};
use super::graph::Reply;
use super::ground::{Ground, TENANT};

/// The old contact is the survivor from now on.
pub(super) async fn merge(ground: &Ground, gone: i64, into: i64) {
    assert!(merges(ground, gone, into).await);
}

async fn merges(ground: &Ground, gone: i64, into: i64) -> bool {
    let (gone, into) = (ContactId::from_raw(gone), ContactId::from_raw(into));
    let mut tx = ground.db.begin().await.expect("a transaction");
    let merged = people::merge_contact(&mut tx, TENANT, gone, into)
        .await
        .expect("a merge");
    tx.commit().await.expect("a commit");
    merged.is_some()
}

/// What a first decision for this contact would be made by.
async fn consent(ground: &Ground, person: i64) -> ConsentState {
    let contact = ContactId::from_raw(person);
    let mut tx = ground.db.read().await.expect("a transaction");
    let rows = people::read_consent_all_tenants(&mut tx, &[contact])
        .await
        .expect("consent");
    rows.of(contact).expect("a consent row").state
}

#[tokio::test]
async fn a_stop_after_a_merge_refuses_what_was_queued_for_the_old_contact() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        // Twice merged, once into a lower id and once into a higher one.
        let queued = ground.commit_one(ground.reply(103, "hi")).await;
        merge(&ground, 103, 101).await;
        merge(&ground, 101, 102).await;
        says_stop(&ground, 102).await;
        // A turn on another node may write for the old contact even now.
        let later = ground
            .commit_one(ground.template(103, DraftClass::Utility))
            .await;
        let other = ground.commit_one(ground.reply(104, "hi")).await;
        let node = ground.start().await;
        let row = ground.until_state(queued, OutboxState::Refused).await;
        assert_eq!(row.reason, "replies_stopped");
        ground.until_state(later, OutboxState::Refused).await;
        ground.until_state(other, OutboxState::Accepted).await;
        assert_eq!(ground.graph.posted().len(), 1);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_turn_that_waits_for_the_old_contact_sees_the_survivors_consent() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        merge(&ground, 102, 101).await;
        merge(&ground, 101, 103).await;
        says_stop(&ground, 103).await;
        for person in 101..=103 {
            assert!(!consent(&ground, person).await.replies_open(), "{person}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_the_survivor_opens_again_is_open_for_the_old_contact() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        says_stop(&ground, 101).await;
        merge(&ground, 101, 102).await;
        let queued = ground.commit_one(ground.reply(101, "hi")).await;
        ground.clock.advance(Duration::from_secs(10));
        says(&ground, 102, ConsentWord::OptIn).await;
        let node = ground.start().await;
        ground.until_state(queued, OutboxState::Accepted).await;
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_stop_of_one_and_a_stopall_of_the_other_leave_not_even_codes() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        says(&ground, 101, ConsentWord::OptOutEverything).await;
        says_stop(&ground, 102).await;
        merge(&ground, 101, 102).await;
        assert_eq!(consent(&ground, 102).await.opt_out, OptOut::Everything);
        let code = ground
            .commit_one(ground.template(102, DraftClass::Authentication))
            .await;
        let node = ground.start().await;
        let row = ground.until_state(code, OutboxState::Refused).await;
        assert_eq!(row.reason, "opted_out");
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_marketing_stop_that_meets_the_old_contact_is_the_survivors() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        merge(&ground, 101, 102).await;
        ground.graph.answers([Reply::Error(131050)]);
        let failed = ground
            .commit_one(ground.template(101, DraftClass::Marketing))
            .await;
        let node = ground.start().await;
        ground.until_state(failed, OutboxState::Failed).await;
        assert!(consent(&ground, 102).await.meta_stopped_at.is_some());
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn who_went_into_another_is_merged_no_second_time() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        merge(&ground, 101, 102).await;
        assert!(!merges(&ground, 101, 103).await);
        assert!(!merges(&ground, 103, 101).await);
    })
    .await;
}

#[tokio::test]
async fn an_identity_that_was_added_while_its_contact_went_leads_to_the_survivor() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        merge(&ground, 101, 103).await;
        merge(&ground, 103, 102).await;
        let key = IdentityKey {
            tenant: TENANT,
            scope: "portfolio".into(),
            kind: IdentityKind::Bsuid,
            value: "DE.1".into(),
        };
        let mut tx = ground.db.begin().await.expect("a transaction");
        let late = [(key.clone(), ContactId::from_raw(101))];
        people::add_identities_all_tenants(&mut tx, &late, ground.clock.now())
            .await
            .expect("added");
        let found = people::find_identities_all_tenants(&mut tx, &[key])
            .await
            .expect("found");
        assert_eq!(found[0].1.contact, ContactId::from_raw(102));
    })
    .await;
}
