//! Draft, policy, Graph's body, the simulator, the receipt: for every example, to people with a phone and without one.

use serde_json::Value;
use vestibule::domain::{Draft, OutboundContent, OutboxState, ReceiptStatus};
use vestibule::policy::Reason;
use vestibule_tests::{TestDatabase, for_each_database};

use super::samples::samples;
use super::street::{Person, Street};

/// Addresses are asked for in India only.
fn phone(n: usize, sample: &Value) -> String {
    let country = if sample["type"] == "address_message" {
        "91"
    } else {
        "49"
    };
    format!("{country}15112345{n:03}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_cleared_accepted_and_settled_by_its_receipt() {
    for_each_database(async |database| go_round(&database, false).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_but_a_one_time_code_reaches_a_person_without_a_phone() {
    for_each_database(async |database| go_round(&database, true).await).await;
}

async fn go_round(database: &TestDatabase, hidden: bool) {
    let samples = samples();
    let street = Street::open(database, &samples).await;
    let phones: Vec<String> = samples
        .iter()
        .enumerate()
        .map(|(n, s)| phone(n, s))
        .collect();
    let people = street.people(database, &phones, hidden).await;
    let image = street.upload("image/jpeg", b"\xff\xd8 a plan").await;
    let image = image.expect("uploaded");
    let mut sent = Vec::new();
    for (sample, person) in samples.iter().zip(&people) {
        let draft = street.draft(person, sample, &image);
        let committed = street.commit(&draft, &person.conversation).await;
        if hidden && sample["name"] == "login_code" {
            assert_eq!(committed, Err(Reason::RecipientNeedsPhone));
        } else {
            committed.unwrap_or_else(|reason| panic!("{reason}: {sample}"));
            sent.push((draft, person));
        }
    }
    street.settled().await;
    for (draft, person) in &sent {
        is_settled(&street, draft, person).await;
    }
    assert_eq!(street.meta.violations().len(), 0);
    street.close().await;
}

async fn is_settled(street: &Street, draft: &Draft, person: &Person) {
    let row = street.row(draft).await;
    let kind = draft.content.kind();
    let end = (row.state, row.receipt);
    let read = Some(ReceiptStatus::Read);
    match &draft.content {
        OutboundContent::MarkRead { .. } => {
            assert_eq!(row.state, OutboxState::Accepted, "{row:?}");
            return;
        }
        // No tick follows a reaction (facts §4.2).
        OutboundContent::Reaction { .. } => {
            assert_eq!(
                end,
                (OutboxState::Accepted, Some(ReceiptStatus::Sent)),
                "{row:?}"
            );
        }
        _ => assert_eq!(end, (OutboxState::Accepted, read), "{kind}: {row:?}"),
    }
    let chat = person.customer.chat();
    let item = chat
        .items
        .iter()
        .find(|item| Some(&item.id) == row.wamid.as_ref());
    assert!(item.is_some(), "{kind} stands in the customer's chat");
}
