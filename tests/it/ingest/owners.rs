//! Others who have a conversation: a human in the WhatsApp Business app, another app of the business. And who keeps it.

use serde_json::{Value, json};
use vestibule::domain::{Clock, Owner, OwnerChange};
use vestibule::storage::conversations;
use vestibule_tests::for_each_database;

use super::desk::{Desk, NUMBERS};
use super::sends::{CUSTOMER, only_conversation, opened};

fn echo(at: i64) -> Value {
    let message = json!({ "from": "1", "to": CUSTOMER, "id": format!("wamid.ECHO{at}"), "timestamp": at.to_string(),
        "type": "text", "text": { "body": "I will look" } });
    let value =
        json!({ "metadata": { "phone_number_id": NUMBERS[0] }, "message_echoes": [message] });
    json!({ "field": "smb_message_echoes", "value": value })
}

fn handover(kind: &str, at: i64) -> Value {
    let value = json!({ "sender": { "phone_number": CUSTOMER }, "recipient": { "phone_number_id": NUMBERS[0] },
        "type": kind, "timestamp": at,
        "object": { "previous_owner_role": "escalation", "new_owner_role": "escalation" } });
    json!({ "field": "messaging_handovers", "value": value })
}

async fn hear(desk: &Desk, change: Value) {
    let body = json!({ "object": "whatsapp_business_account", "entry": [{ "id": "990001", "changes": [change] }] });
    assert_eq!(desk.post_by(0, &body).await, 200);
    assert_eq!(desk.attach().await.len(), 0, "it starts no turn");
}

#[tokio::test]
async fn whoever_has_a_conversation_by_right_keeps_it() {
    let agent = || Owner::Agent("ana".to_owned());
    let queue = || Owner::Queue("sales".to_owned());
    let app = || Owner::External("whatsapp_business_app".to_owned());
    let other = || Owner::External("meta.escalation".to_owned());
    let inbox = || Owner::External("inbox".to_owned());
    // (owner, what comes, owner then)
    let cases = [
        (Owner::Bot, "echo", app()),
        (queue(), "echo", app()),
        (agent(), "echo", agent()),
        (inbox(), "echo", inbox()),
        (Owner::Bot, "control_taken", other()),
        (agent(), "control_taken", other()),
        (other(), "control_passed", Owner::Bot),
        (agent(), "control_passed", agent()),
        (inbox(), "control_passed", inbox()),
    ];
    for_each_database(async |database| {
        for (owner, what, then) in &cases {
            let desk_database = vestibule_tests::TestDatabase::fresh(database.kind).await;
            let database = desk_database.expect("another database of the same kind");
            let desk = Desk::open(&database).await;
            opened(&desk, &database).await;
            change_owner(&desk, &database, owner).await;
            // After the change, by Meta's whole seconds.
            let at = desk.ago(0) + 2;
            let change = match *what {
                "echo" => echo(at),
                kind => handover(kind, at),
            };
            hear(&desk, change).await;
            let found = only_conversation(&desk, &database).await.owner;
            assert_eq!(found, *then, "{owner:?}, {what}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_happened_before_the_bot_got_it_back_takes_nothing() {
    for_each_database(async |database| {
        let desk = Desk::open(&database).await;
        opened(&desk, &database).await;
        change_owner(&desk, &database, &Owner::Agent("ana".to_owned())).await;
        change_owner(&desk, &database, &Owner::Bot).await;
        hear(&desk, echo(desk.ago(20))).await;
        assert!(only_conversation(&desk, &database).await.owner.is_bot());
        hear(&desk, echo(desk.ago(0) + 2)).await;
        let owner = only_conversation(&desk, &database).await.owner;
        assert_eq!(owner, Owner::External("whatsapp_business_app".to_owned()));
    })
    .await;
}

async fn change_owner(desk: &Desk, database: &vestibule_tests::TestDatabase, to: &Owner) {
    let conversation = only_conversation(desk, database).await;
    let change = OwnerChange {
        from: conversation.owner,
        to: to.clone(),
        reason: "take_over".to_owned(),
        by: "test".to_owned(),
        note: None,
    };
    let now = desk.clock.now();
    let mut tx = desk.db.begin().await.expect("a transaction");
    let (tenant, id) = (conversation.tenant, conversation.id);
    let log = desk.ids.next(now);
    conversations::change_owner(&mut tx, tenant, id, &change, (log, 0), now)
        .await
        .expect("changed");
    tx.commit().await.expect("a commit");
}
