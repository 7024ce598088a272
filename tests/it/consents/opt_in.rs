//! Double opt-in: asked for elsewhere, agreed to by the person's own message and by nothing else.

use vestibule::domain::{ConsentChannel, ConsentStatus};
use vestibule::storage::events::word;
use vestibule_tests::for_each_database;

use super::{contact, records, say, shop, state, told, verified};
use crate::ingest::desk::{Desk, text};

const PHONE: &str = "447700900123";
const OTHER: &str = "447700900555";

#[tokio::test]
async fn the_digit_of_the_person_who_was_asked_confirms_once() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        desk.hear(&[text("wamid.1", Some(PHONE), None, desk.ago(90), "hi")])
            .await;
        let (tenant, contact) = (shop(&database).await, contact(&database).await);
        let asked = told("marketing", ConsentStatus::Pending, ConsentChannel::Form);
        let first = say(&desk, tenant, contact, &asked).await;
        let asked = told("utility", ConsentStatus::Pending, ConsentChannel::Form);
        let second = say(&desk, tenant, contact, &asked).await;
        assert_eq!(first.confirm_with.as_deref(), Some("1"));
        assert_eq!(second.confirm_with.as_deref(), Some("2"));
        // Another person's digit, and one that nobody asked for, are messages for the bot.
        let other = text("wamid.2", Some(OTHER), None, desk.ago(80), "1");
        let heard = desk.hear(&[other]).await;
        assert_eq!(heard[0].word, word::NONE);
        let heard = desk
            .hear(&[text("wamid.3", Some(PHONE), None, desk.ago(70), "7")])
            .await;
        assert_eq!(heard[0].word, word::NONE);
        assert_eq!(state(&desk, contact).await.marketing_given_at, None);
        let heard = desk
            .hear(&[text("wamid.4", Some(PHONE), None, desk.ago(60), " 1 ")])
            .await;
        assert_eq!(heard[0].word, word::CONSENT);
        let now = state(&desk, contact).await;
        assert_eq!(now.marketing_given_at, Some(desk.at(desk.ago(60))));
        assert_eq!(now.utility_given_at, None);
        let thanks = desk.sends.lock().expect("sends").len();
        assert_eq!(thanks, 1, "one confirmation");
        let again = desk
            .hear(&[text("wamid.5", Some(PHONE), None, desk.ago(50), "1")])
            .await;
        assert_eq!(again[0].word, word::NONE);
        assert_eq!(
            records(&database).await,
            [
                "marketing pending form",
                "utility pending form",
                "marketing given double_opt_in"
            ]
        );
        let evidence = database
            .texts("SELECT value FROM consent_record WHERE channel = 'double_opt_in'")
            .await;
        for part in ["wamid.4", "f-1", "203.0.113.9", PHONE] {
            assert!(evidence[0].contains(part), "{part}: {evidence:?}");
        }
        assert!(verified(&desk, tenant).await.faults.is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_comes_too_late_agrees_to_nothing() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        desk.hear(&[text("wamid.1", Some(PHONE), None, desk.ago(90), "hi")])
            .await;
        let (tenant, contact) = (shop(&database).await, contact(&database).await);
        let asked = told("marketing", ConsentStatus::Pending, ConsentChannel::Form);
        say(&desk, tenant, contact, &asked).await;
        database
            .execute("UPDATE consent_pending SET expires_at = 1")
            .await;
        let heard = desk
            .hear(&[text("wamid.2", Some(PHONE), None, desk.ago(60), "1")])
            .await;
        assert_eq!(heard[0].word, word::NONE);
        assert_eq!(state(&desk, contact).await.marketing_given_at, None);
        assert_eq!(
            database.count("SELECT COUNT(*) FROM consent_pending").await,
            0
        );
    })
    .await;
}
