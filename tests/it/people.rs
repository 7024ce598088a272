//! Who wrote: two contacts that a webhook shows to be one person.

use serde_json::{Value, json};
use vestibule::simulator::Signature;
use vestibule_tests::town::{Town, body, message, now_secs};
use vestibule_tests::{TestDatabase, for_each_database, guests, settle};

const PHONE: &str = "4915112345678";
const BSUID: &str = "DE.13491208655302741918";

/// A message by phone, by BSUID, or by both.
fn from(n: usize, phone: bool, bsuid: bool, text: &str) -> Value {
    let mut message = message(n, PHONE, text, now_secs());
    if !phone {
        message.as_object_mut().expect("an object").remove("from");
    }
    if bsuid {
        message["from_user_id"] = json!(BSUID);
    }
    message
}

/// Delivers bodies, one after the other is handled.
async fn deliver(database: &TestDatabase, bodies: Vec<Vec<Value>>) {
    let town = Town::with_plugin(database, guests::ECHO, &[]).await;
    let node = town.node("node").await;
    let number = &town.business.numbers[0];
    let db = database.open().await;
    for messages in bodies {
        let body = body(&[(&number.waba_id, &number.phone_number_id, messages)]);
        let answers = town.meta.deliver_body(body, Signature::Valid, 1).await;
        assert!(answers.expect("answers")[0].is_success());
        settle(&db).await;
    }
    db.close().await;
    node.end().await;
}

#[tokio::test]
async fn an_opt_out_moves_with_who_turns_out_to_be_known_already() {
    for_each_database(async |database| {
        let bodies = vec![
            vec![from(1, true, false, "STOP")],
            vec![from(2, false, true, "STOPALL")],
            vec![from(3, true, true, "hello")],
        ];
        deliver(&database, bodies).await;
        let merged = database
            .count("SELECT COUNT(*) FROM consent WHERE merged_into <> 0")
            .await;
        let both = database
            .count("SELECT COUNT(*) FROM consent WHERE merged_into = 0 AND opt_out = 4")
            .await;
        let contacts = database
            .count("SELECT COUNT(DISTINCT contact) FROM identity")
            .await;
        assert_eq!((merged, both, contacts), (1, 1, 1));
    })
    .await;
}

#[tokio::test]
async fn who_turns_out_to_be_one_within_a_body_is_one_for_all_of_it() {
    for_each_database(async |database| {
        let bodies = vec![vec![
            from(1, true, false, "STOP"),
            from(2, false, true, "hello"),
            from(3, true, true, "hello"),
        ]];
        deliver(&database, bodies).await;
        let conversations = database.count("SELECT COUNT(*) FROM conversation").await;
        let stopped = database
            .count("SELECT COUNT(*) FROM consent WHERE merged_into = 0 AND opt_out = 2")
            .await;
        let turns = database.count("SELECT COUNT(*) FROM turn").await;
        assert_eq!((conversations, stopped, turns), (1, 1, 3));
    })
    .await;
}
