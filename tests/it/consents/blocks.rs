//! The block list of a number: Meta's, the mark that policy reads, and the ledger.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use vestibule::domain::{Phone, Recipient};
use vestibule::graph::GraphClient;
use vestibule_tests::{for_each_database, until};

use super::api::shop;
use crate::api::Ground;
use crate::api::media::meta;

/// The contact's phone, as the simulator knows people.
const PHONE: &str = "491515550001";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_to_whom_the_business_has_blocked_until_it_takes_that_back() {
    for_each_database(async |database| {
        let meta = meta().await;
        let url = meta.base_url();
        let ground =
            Ground::with(&database, |settings| settings.with("graph.base_url", &url)).await;
        let (key, contact, talk) = shop(&ground).await;
        let number = ground.get(&key, "/numbers").await.body["items"][0]["id"].clone();
        let number = number.as_str().expect("a number");
        let (blocks, unblock) = (
            format!("/numbers/{number}/blocks"),
            format!("/numbers/{number}/unblock"),
        );
        let whom = json!({"contact": contact, "note": "threats"});
        let marked = async || {
            let talk = ground.get(&key, &format!("/conversations/{talk}")).await;
            !talk.body["blocked_at"].is_null()
        };
        // Meta takes only who wrote lately, and says so; then nothing is marked.
        let refused = ground.post(&key, &blocks, &whom).await;
        assert_eq!(
            (refused.status, refused.problem()),
            (502, "meta_refused"),
            "{refused:?}"
        );
        let detail = refused.body["detail"].as_str().expect("a detail");
        assert!(detail.contains("not written within 24 hours"), "{detail}");
        assert!(!marked().await);

        meta.customer("2", PHONE)
            .expect("a customer")
            .text("hi")
            .expect("sent");
        for _ in 0..2 {
            let blocked = ground.post(&key, &blocks, &whom).await;
            assert_eq!(
                (blocked.status, &blocked.body["is_blocked"]),
                (200, &json!(true)),
                "{blocked:?}"
            );
        }
        assert!(marked().await);
        let said = json!({"content": {"type": "text", "body": "hi"}});
        let say = format!("/conversations/{talk}/messages");
        let refusal = ground.post(&key, &say, &said).await.body["refusal"].clone();
        assert_eq!(
            (&refusal["reason"], &refusal["meta_code"]),
            (&json!("blocked"), &json!(130403))
        );
        let listed = ground.get(&key, &blocks).await.body;
        assert_eq!(
            (&listed["items"][0]["contact"], &listed["items"][0]["phone"]),
            (&json!(contact), &json!(PHONE))
        );

        let over = ground
            .post(&key, &unblock, &json!({"contact": contact}))
            .await;
        assert_eq!(
            (over.status, &over.body["is_blocked"]),
            (200, &json!(false)),
            "{over:?}"
        );
        assert!(!marked().await);
        // Marked nowhere by now, and a record all the same: a reading of Meta's list may be under way.
        let again = ground
            .post(&key, &unblock, &json!({"contact": contact}))
            .await;
        assert_eq!(again.status, 200, "{again:?}");
        assert_eq!(ground.get(&key, &blocks).await.body["items"], json!([]));
        assert_eq!(ground.post(&key, &say, &said).await.status / 100, 2);

        let records = ground
            .get(&key, &format!("/contacts/{contact}/consents"))
            .await
            .body;
        let record = |n: usize| {
            let record = &records["items"][n];
            ["scope", "status", "channel"]
                .map(|field| record[field].as_str().unwrap_or("?").to_owned())
                .join(" ")
        };
        for n in [0, 1] {
            assert_eq!(record(n), format!("number:{number} given block_list"));
        }
        for n in [2, 3] {
            assert_eq!(record(n), format!("number:{number} withdrawn block_list"));
            assert_eq!(records["items"][n]["proof"]["note"], "threats");
        }
        assert_eq!(
            records["items"].as_array().map(Vec::len),
            Some(4),
            "each that was asked for"
        );
        let nobody = json!({"contact": "con_0000000000007"});
        assert_eq!(ground.post(&key, &blocks, &nobody).await.status, 404);
        ground.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_blocked_or_unblocked_elsewhere_is_known_without_a_send() {
    for_each_database(async |database| {
        let meta = meta().await;
        let url = meta.base_url();
        let ground = Ground::with(&database, |settings| {
            settings
                .with("graph.base_url", &url)
                .with("graph.blocks_every", "6h")
        })
        .await;
        let (key, contact, talk) = shop(&ground).await;
        let number = ground.get(&key, "/numbers").await.body["items"][0]["id"].clone();
        let number = number.as_str().expect("a number");
        // Asked past the API: it answers a key so many times a minute.
        let until_recorded = async |wanted: &[&str]| {
            let sql = "SELECT status || ' by ' || channel FROM consent_record ORDER BY id";
            until("the list is read", async || {
                (database.texts(sql).await == wanted).then_some(())
            })
            .await;
        };
        let marked = async || {
            let talk = ground.get(&key, &format!("/conversations/{talk}")).await;
            !talk.body["blocked_at"].is_null()
        };
        for customer in [PHONE, "491515550099"] {
            let customer = meta.customer("2", customer).expect("a customer");
            customer.text("hi").expect("sent");
        }
        // As WhatsApp Manager would: past the gateway. The other one is nobody here.
        let client = reqwest::Client::builder().build();
        let manager = GraphClient::new(client.expect("a client"), &url, "v25.0");
        let token = SecretString::from("EAAG");
        let person = |phone| Recipient::Phone(Phone::parse(phone).expect("a phone"));
        let timeout = Duration::from_secs(15);
        for phone in ["491515550099", PHONE] {
            let done = manager.block(&token, "2", &person(phone), timeout).await;
            done.expect("blocked");
        }
        ground.clock.advance(Duration::from_secs(6 * 3600));
        until_recorded(&["withdrawn by meta"]).await;
        assert!(marked().await);
        let done = manager.unblock(&token, "2", &person(PHONE), timeout).await;
        done.expect("unblocked");
        ground.clock.advance(Duration::from_secs(6 * 3600));
        until_recorded(&["withdrawn by meta", "given by meta"]).await;
        assert!(!marked().await);
        let records = format!("/contacts/{contact}/consents");
        let records = ground.get(&key, &records).await.body;
        let said = &records["items"][1];
        assert_eq!(
            (&said["scope"], &said["proof"]["block_list"]),
            (&json!(format!("number:{number}")), &json!("is on it")),
            "{records}"
        );
        ground.end().await;
    })
    .await;
}
