//! Consent by webhook: what a person chose in WhatsApp itself, and what reopens replies after a STOP.

use serde_json::{Value, json};
use vestibule::domain::ContactId;
use vestibule::policy::{ConsentState, OptOut};
use vestibule::storage::events::word;
use vestibule::storage::people;
use vestibule_tests::{TestDatabase, for_each_database};

use super::desk::{Desk, from, text};
use super::sends::CUSTOMER;

/// The consent of the one contact that there is.
async fn consent(desk: &Desk, database: &TestDatabase) -> ConsentState {
    let ids = database
        .texts("SELECT CAST(contact AS TEXT) FROM consent")
        .await;
    assert_eq!(ids.len(), 1, "one contact");
    let id = ContactId::from_raw(ids[0].parse().expect("an id"));
    let mut tx = desk.db.read().await.expect("a transaction");
    let found = people::read_consent_all_tenants(&mut tx, &[id]).await;
    found.expect("consent").of(id).expect("a row").state
}

fn choice(value: &str, at: i64) -> Value {
    json!({ "contacts": [{ "wa_id": CUSTOMER }], "user_preferences": [{
        "wa_id": CUSTOMER, "detail": "as Meta words it", "category": "marketing_messages", "value": value,
        "timestamp": at,
    }] })
}

/// Choices as they come in, each so many seconds ago, and whether marketing is stopped then.
const CHOICES: &[(&[(&str, u64)], bool)] = &[
    (&[("stop", 50)], true),
    (&[("stop", 50), ("resume", 40)], false),
    (&[("stop", 50), ("resume", 50)], false),
    (&[("stop", 50), ("resume", 40), ("stop", 30)], true),
    (&[("stop", 50), ("resume", 60)], true),
    (&[("stop", 50), ("stop", 50)], true),
    (&[("resume", 50)], false),
    (&[("signup", 50)], false),
];

#[tokio::test]
async fn what_a_person_chose_in_whatsapp_is_obeyed_and_kept() {
    for (choices, stopped) in CHOICES {
        for known in [true, false] {
            for_each_database(async |database| {
                let desk = Desk::open(&database).await;
                if known {
                    let hello = text("wamid.HELLO", Some(CUSTOMER), None, desk.ago(90), "hello");
                    desk.hear(&[hello]).await;
                }
                for (value, secs_ago) in *choices {
                    assert_eq!(
                        desk.hear(&[choice(value, desk.ago(*secs_ago))]).await.len(),
                        0
                    );
                }
                let kept = "SELECT COUNT(DISTINCT content) FROM inbound_event
                    WHERE kind = 9 AND content = 'user_preferences'";
                assert_eq!(database.count(kept).await, 1);
                if known || choices[0].0 != "signup" {
                    let state = consent(&desk, &database).await;
                    assert_eq!(state.meta_stopped_at.is_some(), *stopped, "{choices:?}");
                    assert_eq!(state.opt_out, OptOut::None);
                }
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_choice_that_meta_repeats_after_the_next_one_changes_nothing() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let (stop, resume) = (choice("stop", desk.ago(50)), choice("resume", desk.ago(40)));
        for said in [&stop, &resume, &stop] {
            desk.hear(std::slice::from_ref(said)).await;
        }
        assert_eq!(consent(&desk, &database).await.meta_stopped_at, None);
    })
    .await;
}

/// What comes after a STOP, and whether it reopens replies.
fn after_a_stop() -> Vec<(Value, bool)> {
    let place = json!({ "latitude": 51.5, "longitude": -0.1 });
    vec![
        (
            json!({ "type": "text", "text": { "body": "hello?" } }),
            true,
        ),
        (json!({ "type": "location", "location": place }), true),
        (
            json!({ "type": "contacts", "contacts": [{ "name": { "formatted_name": "A" } }] }),
            true,
        ),
        (
            json!({ "type": "order", "order": { "catalog_id": "1", "product_items": [] } }),
            true,
        ),
        (
            json!({ "type": "image", "image": { "id": "1", "mime_type": "image/png" } }),
            true,
        ),
        (
            json!({ "type": "reaction", "reaction": { "message_id": "wamid.X", "emoji": "x" } }),
            false,
        ),
        (
            json!({ "type": "system", "system": { "body": "x", "type": "user_changed_number" } }),
            false,
        ),
        (
            json!({ "type": "revoke", "revoke": { "original_message_id": "wamid.X" } }),
            false,
        ),
        (
            json!({ "type": "edit", "edit": { "original_message_id": "wamid.X" } }),
            false,
        ),
    ]
}

#[tokio::test]
async fn after_a_stop_whatever_a_person_writes_reopens_replies_and_notices_do_not() {
    for (element, reopens) in after_a_stop() {
        for_each_database(async |database| {
            let desk = Desk::open(&database).await;
            let stop = text("wamid.STOP", Some(CUSTOMER), None, desk.ago(60), "STOP");
            let heard = desk.hear(&[stop]).await;
            assert_eq!(heard[0].word, word::CONSENT);
            assert!(!consent(&desk, &database).await.replies_open());
            let said = from(
                "wamid.NEXT",
                Some(CUSTOMER),
                None,
                desk.ago(30),
                element.clone(),
            );
            desk.hear(&[said]).await;
            let state = consent(&desk, &database).await;
            assert_eq!(state.replies_open(), reopens, "{element}");
            assert_eq!(state.opt_out, OptOut::BusinessInitiated);
            assert_eq!(
                desk.sends.lock().expect("sends").len(),
                1,
                "one confirmation"
            );
        })
        .await;
    }
}
