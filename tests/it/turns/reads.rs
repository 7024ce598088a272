//! What plugins read of their turn, out of the database and into the journal: the same for a replay, and nothing of it
//! names a person or comes from another conversation.

use serde_json::Value;
use vestibule::domain::TurnId;
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests};

use super::all_done;
use super::replay::{installation, replay, run};

const PHONE: &str = "4915111111111";
const GRANTS: &[&str] = &["window", "contacts", "conversation"];

/// The customer writes to a number; what is answered.
async fn asks(town: &Town, database: &TestDatabase, number: usize, words: &str) -> String {
    let number = &town.business.numbers[number].phone_number_id;
    let customer = town.meta.customer(number, PHONE).expect("a customer");
    customer.text(words).expect("sent");
    all_done(town, database).await;
    let query = "SELECT draft FROM outbox ORDER BY id DESC LIMIT 1";
    let draft = database.texts(query).await.remove(0);
    let draft: Value = serde_json::from_str(&draft).expect("JSON");
    draft["content"]["body"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

async fn touches(database: &TestDatabase, statement: &'static str) {
    assert_eq!(database.texts(statement).await.len(), 1, "{statement}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_reads_its_own_conversation_person_and_window_and_replays_alike() {
    for_each_database(async |database| {
        let town = Town::with_plugin(&database, guests::READER, GRANTS).await;
        let node = town.node("node").await;
        let ask = async |words| asks(&town, &database, 0, words).await;
        assert_eq!(ask("hello").await, "hello");
        let recent = ask("recent 2").await;
        assert_eq!(recent, "Speaker::Bot text hello|Speaker::Person text hello");
        assert!(ask("recent 50").await.starts_with("Speaker::Bot text Speaker::Bot text hello|"));
        assert!(ask("window").await.starts_with("State::Open("));
        assert_eq!(ask("price").await, "PriceClass::Service");
        let owner = ask("owner").await;
        assert!(owner.contains("Owner::Bot") && owner.contains("None"), "{owner}");
        let who = ask("who").await;
        assert!(who.starts_with("con_") && who.ends_with(" None 0 allowed allowed"), "{who}");

        // The same person at another number, of the same tenant and of another: nothing was said there.
        for number in [1, 2] {
            let recent = asks(&town, &database, number, "recent 50").await;
            assert_eq!(recent, "nothing", "{number}");
        }

        touches(
            &database,
            "UPDATE conversation SET free_until = last_inbound_at + 259200000 WHERE id = (SELECT MIN(id) FROM conversation)
             RETURNING CAST(id AS TEXT)",
        )
        .await;
        touches(
            &database,
            "UPDATE contact SET external_id = 'crm-7' WHERE id = (SELECT contact FROM conversation ORDER BY id LIMIT 1)
             RETURNING CAST(id AS TEXT)",
        )
        .await;
        assert!(ask("price").await.starts_with("PriceClass::FreeEntryPoint("));
        ask("CANCEL").await;
        let who = ask("who").await;
        assert!(
            who.ends_with(r#" Some("crm-7") 0 allowed opted_out_marketing"#),
            "{who}"
        );
        // A word about consent and its confirmation were said too.
        let recent = ask("recent 6").await;
        assert!(recent.contains("Speaker::Gateway text "), "{recent}");
        assert!(recent.contains("Speaker::Person text CANCEL"), "{recent}");
        node.end().await;

        let named = database.count("SELECT COUNT(*) FROM turn WHERE journal LIKE '%4915111111111%' OR journal LIKE '%wamid%'");
        assert_eq!(named.await, 0, "a journal names nobody");
        let last = database.texts("SELECT CAST(MAX(id) AS TEXT) FROM turn").await;
        let turn = TurnId::from_raw(last[0].parse().expect("a number")).to_string();
        let tenant = town.business.tenants[0].as_str();
        for (more, told) in [(&[][..], "past6entries"), (&["--json"][..], "\"most\":6")] {
            let ask = ["plugin", "trace", &turn, "--tenant", tenant];
            let traced = run(&town, &[&ask[..], more].concat()).await;
            let out = traced.out.replace(' ', "");
            assert!(out.contains(told), "{out}{}", traced.err);
            assert!(!out.contains("CANCEL"), "what was said is not told: {out}");
        }
        let installation = installation(&database).await;
        let gate = ["--json", "--fail-if", "different>0", "--fail-if", "unknown>0", "--fail-if", "not-reproduced>0"];
        let ended = replay(&town, &installation, guests::READER, &gate).await;
        assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
        assert!(ended.json()["same"].as_u64() >= Some(10), "{}", ended.out);
    })
    .await;
}
