//! People who change number while something waits for them: it goes to the new one, or nowhere (facts §2.3).

use vestibule::domain::{
    Clock, ContactId, DraftClass, IdentityKind, OutboxState, Phone, Recipient,
};
use vestibule::storage::people::{self, IdentityKey};
use vestibule_tests::for_each_database;

use super::ground::{Ground, TENANT};
use super::merges::merge;

/// The portfolio of the ground's number.
const PORTFOLIO: &str = "p";
const NEW: &str = "447700999999";

fn key(kind: IdentityKind, scope: &str, value: &str) -> IdentityKey {
    IdentityKey {
        tenant: TENANT,
        scope: scope.into(),
        kind,
        value: value.into(),
    }
}

fn old_phone(person: i64) -> IdentityKey {
    key(IdentityKind::Phone, "", &format!("4477009{person:05}"))
}

/// The person is known by these from now on, and by the old phone no more.
async fn moves(ground: &Ground, person: i64, to: &[IdentityKey]) {
    let contact = ContactId::from_raw(person);
    let now = ground.clock.now();
    let mut tx = ground.db.begin().await.expect("a transaction");
    let old = old_phone(person);
    let mut all: Vec<_> = to.iter().map(|key| (key.clone(), contact)).collect();
    all.push((old.clone(), contact));
    people::add_identities_all_tenants(&mut tx, &all, now)
        .await
        .expect("added");
    people::supersede_identity(&mut tx, TENANT, &old, contact, now)
        .await
        .expect("superseded");
    tx.commit().await.expect("a commit");
}

fn phone(digits: &str) -> Recipient {
    Recipient::Phone(Phone::parse(digits).expect("a phone"))
}

#[tokio::test]
async fn what_waits_goes_to_the_new_number_and_its_row_says_so() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let waits = ground.commit_one(ground.reply(101, "moved")).await;
        let stays = ground.commit_one(ground.reply(102, "stays")).await;
        moves(&ground, 101, &[key(IdentityKind::Phone, "", NEW)]).await;
        let node = ground.start().await;
        let row = ground.until_state(waits, OutboxState::Accepted).await;
        assert_eq!(row.draft.recipient, phone(NEW));
        let row = ground.until_state(stays, OutboxState::Accepted).await;
        assert_eq!(row.draft.recipient, phone("447700900102"));
        let mut to = ground.graph.recipients();
        to.sort();
        assert_eq!(to, ["+447700900102", &format!("+{NEW}")]);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn whoever_went_into_another_is_reached_as_the_other() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let waits = ground.commit_one(ground.reply(101, "for both")).await;
        moves(&ground, 101, &[]).await;
        moves(&ground, 102, &[key(IdentityKind::Phone, "", NEW)]).await;
        merge(&ground, 101, 102).await;
        let node = ground.start().await;
        ground.until_state(waits, OutboxState::Accepted).await;
        assert_eq!(ground.graph.recipients(), [format!("+{NEW}")]);
        node.stop().await;
    })
    .await;
}

#[tokio::test]
async fn who_shows_no_phone_any_more_is_reached_by_the_id_of_this_portfolio_or_not_at_all() {
    for_each_database(async |database| {
        let ground = Ground::lay(&database).await;
        let (here, elsewhere) = (
            key(IdentityKind::Bsuid, PORTFOLIO, "GB.1"),
            key(IdentityKind::Bsuid, "another", "GB.2"),
        );
        let by_id = ground.commit_one(ground.reply(101, "hi")).await;
        let code = ground
            .commit_one(ground.template(102, DraftClass::Authentication))
            .await;
        let nowhere = ground.commit_one(ground.reply(103, "hi")).await;
        moves(&ground, 101, &[here.clone(), elsewhere.clone()]).await;
        moves(&ground, 102, &[key(IdentityKind::Bsuid, PORTFOLIO, "GB.3")]).await;
        moves(&ground, 103, &[key(IdentityKind::Bsuid, "another", "GB.4")]).await;
        let node = ground.start().await;
        ground.until_state(by_id, OutboxState::Accepted).await;
        let row = ground.until_state(code, OutboxState::Refused).await;
        assert_eq!(row.reason, "recipient_needs_phone");
        let row = ground.until_state(nowhere, OutboxState::Failed).await;
        assert!(row.reason.starts_with("no_address"), "{}", row.reason);
        assert_eq!(ground.graph.recipients(), ["GB.1"]);
        node.stop().await;
    })
    .await;
}
