//! Every way that changes consent leaves its record, an ordinary message none; and any change to a sealed one is found.

use serde_json::json;
use vestibule::domain::{ConsentChannel, ConsentStatus};
use vestibule::policy::OptOut;
use vestibule_tests::for_each_database;

use super::{contact, faults, records, say, shop, state, told, verified};
use crate::ingest::desk::{Desk, from, text};

const PHONE: &str = "447700900123";

#[tokio::test]
async fn every_change_has_its_record_and_an_ordinary_message_has_none() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        let hear = async |n: u64, words: &str| {
            let wamid = format!("wamid.{n}");
            desk.hear(&[text(&wamid, Some(PHONE), None, desk.ago(100 - n), words)])
                .await;
        };
        for (n, words) in ["hi", "what is new?", "1", "JOIN US"].into_iter().enumerate() {
            hear(n as u64, words).await;
        }
        assert_eq!(records(&database).await, [""; 0]);
        let (tenant, contact) = (shop(&database).await, contact(&database).await);
        for (n, words) in (10..).zip(["END", "STOP", "hello?", "hello again", "START"]) {
            hear(n, words).await;
        }
        let choice = json!({ "contacts": [{ "wa_id": PHONE }], "user_preferences": [{
            "wa_id": PHONE, "category": "marketing_messages", "value": "stop", "timestamp": desk.ago(80) }] });
        desk.hear(&[choice]).await;
        let given = told("marketing", ConsentStatus::Given, ConsentChannel::Form);
        say(&desk, tenant, contact, &given).await;
        let system = json!({ "type": "user_changed_number", "wa_id": "447700900999", "body": "changed" });
        let element = json!({ "type": "system", "system": system });
        let mut moved = from("wamid.moved", Some(PHONE), None, desk.ago(60), element);
        moved.as_object_mut().expect("a value").remove("contacts");
        desk.hear(&[moved]).await;
        assert_eq!(
            records(&database).await,
            [
                "marketing withdrawn keyword",
                "all withdrawn keyword",
                "replies given message",
                "all given keyword",
                "meta_marketing withdrawn meta",
                "marketing given form",
                "marketing withdrawn identity",
            ]
        );
        let now = state(&desk, contact).await;
        assert_eq!((now.opt_out, now.marketing_given_at), (OptOut::None, None));
        assert!(now.meta_stopped_at.is_some(), "an opt-out goes with the person");
        // The words stand in the evidence, and who said them.
        let evidence = database
            .texts("SELECT value FROM consent_record WHERE scope = 'all' AND status = 'withdrawn'")
            .await;
        assert!(evidence[0].contains("STOP") && evidence[0].contains(PHONE), "{evidence:?}");
        let report = verified(&desk, tenant).await;
        assert_eq!((report.records, report.faults.len()), (7, 0), "{report:?}");
    })
    .await;
}

/// A change by somebody who has the database and not the key, and what is said of it.
const CHANGES: &[(&str, &str)] = &[
    (
        "UPDATE consent_record SET value = REPLACE(value, 'f-1', 'f-2') WHERE seq = 2",
        "its evidence is not what was sealed",
    ),
    (
        "UPDATE consent_record SET scope = 'utility' WHERE seq = 2",
        "its content is not what was sealed",
    ),
    (
        "UPDATE consent_record SET status = 'withdrawn' WHERE seq = 2",
        "its content is not what was sealed",
    ),
    (
        "UPDATE consent_record SET channel = 'checkout' WHERE seq = 2",
        "its content is not what was sealed",
    ),
    (
        "UPDATE consent_record SET said_at = said_at - 1 WHERE seq = 2",
        "its content is not what was sealed",
    ),
    (
        "UPDATE consent_record SET recorded_at = recorded_at + 1 WHERE seq = 2",
        "its content is not what was sealed",
    ),
    (
        "UPDATE consent_record SET recorded_by = 'me' WHERE seq = 2",
        "its content is not what was sealed",
    ),
    (
        "UPDATE consent_record SET contact = contact + 1 WHERE seq = 2",
        "its content is not what was sealed",
    ),
    (
        "UPDATE consent_record SET scope = 'nothing' WHERE seq = 2",
        "it has words that no record has",
    ),
    (
        "UPDATE consent_wording SET body = 'No.'",
        "the wording that it names is not what was shown",
    ),
    (
        "DELETE FROM consent_wording",
        "the wording that it names is not what was shown",
    ),
    (
        "UPDATE consent_record SET value = '', salt = '' WHERE seq = 2",
        "what it said is gone, and no record says that the person was erased",
    ),
    (
        "DELETE FROM consent_record WHERE seq = 2",
        "entries before it are missing, or it has another's place",
    ),
    (
        "DELETE FROM consent_record WHERE seq = 3",
        "the end of the chain is missing",
    ),
    (
        "UPDATE consent_record SET seq = CASE seq WHEN 2 THEN 3 ELSE 2 END WHERE seq IN (2, 3)",
        "its seal does not fit: it, or the entry before it, is not what was sealed",
    ),
    (
        "UPDATE seal_head SET mac = (SELECT mac FROM consent_record WHERE seq = 1) WHERE ledger = 'consent'",
        "the head is not the end of the chain",
    ),
];

#[tokio::test]
async fn any_change_to_a_sealed_record_is_found() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        desk.hear(&[text("wamid.1", Some(PHONE), None, desk.ago(100), "hi")])
            .await;
        let (tenant, contact) = (shop(&database).await, contact(&database).await);
        for scope in ["utility", "marketing", "all"] {
            say(
                &desk,
                tenant,
                contact,
                &told(scope, ConsentStatus::Given, ConsentChannel::Form),
            )
            .await;
        }
        assert!(verified(&desk, tenant).await.faults.is_empty());
        database
            .execute("CREATE TABLE kept_record AS SELECT * FROM consent_record")
            .await;
        database
            .execute("CREATE TABLE kept_wording AS SELECT * FROM consent_wording")
            .await;
        database
            .execute("CREATE TABLE kept_head AS SELECT * FROM seal_head")
            .await;
        for (change, what) in CHANGES {
            database.execute(change).await;
            let found = verified(&desk, tenant).await;
            assert!(faults(&found).contains(what), "{change}: {found:?}");
            for undo in [
                "DELETE FROM consent_record",
                "INSERT INTO consent_record SELECT * FROM kept_record",
                "DELETE FROM consent_wording",
                "INSERT INTO consent_wording SELECT * FROM kept_wording",
                "DELETE FROM seal_head",
                "INSERT INTO seal_head SELECT * FROM kept_head",
            ] {
                database.execute(undo).await;
            }
            assert!(
                verified(&desk, tenant).await.faults.is_empty(),
                "after {change}"
            );
        }
    })
    .await;
}
