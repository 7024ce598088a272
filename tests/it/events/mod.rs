//! What follows the messages: numbered events, streams that resume, hooks out, people who take over and hand back.

mod contacts;
mod desk;
mod following;
mod hooks;
mod inbox;
mod numbering;
mod receiver;
mod streams;

use serde_json::json;
use vestibule::domain::{Clock, ContactId, ConversationId, NumberId, TenantId};
use vestibule::storage::conversations::{self, Conversation};

use crate::api::Ground;

/// A conversation whose customer wrote just now.
pub(crate) async fn talk(ground: &Ground, tenant: TenantId, number: &str, contact: &str) -> String {
    let number: NumberId = number.parse().expect("a number");
    let contact: ContactId = contact.parse().expect("a contact");
    let now = ground.clock.now();
    let id = ConversationId::from_raw(ground.setup().ids.next(now));
    let row = Conversation {
        last_inbound_at: Some(now),
        contact_attributes: "{}".to_owned(),
        ..Conversation::begun(id, tenant, number, contact)
    };
    let mut tx = ground.setup().db.begin().await.expect("a transaction");
    conversations::add_all_tenants(&mut tx, &[row], now)
        .await
        .expect("a conversation");
    tx.commit().await.expect("a commit");
    // The node has to know the number before somebody can write from it.
    ground.node.directory.refresh().await.expect("setup reads");
    id.to_string()
}

/// A tenant with a number and a conversation; its administrator's key.
pub(crate) async fn business(ground: &Ground, name: &str, n: usize) -> (TenantId, String, String) {
    let tenant = ground.tenant(name).await;
    let key = ground
        .key(tenant, vestibule::access::Role::TenantAdmin)
        .await;
    if n == 0 {
        let app = json!({"meta_app_id": "1001", "verify_token": "verify", "secrets": ["secret"]});
        ground.post(&ground.operator, "/apps", &app).await.id();
    }
    let credential = json!({"name": "main", "token": "EAAG"});
    let credential = ground.post(&key, "/credentials", &credential).await.id();
    let number = json!({"credential": credential, "waba_id": "1", "phone_number_id": format!("20{n}"),
        "display_number": format!("+4915112345{n:03}")});
    let number = ground.post(&key, "/numbers", &number).await.id();
    let contact = json!({"phone": format!("+49 151 5550{n:03}"), "name": "Ines"});
    let contact = ground.post(&key, "/contacts", &contact).await.id();
    let talk = talk(ground, tenant, &number, &contact).await;
    (tenant, key, talk)
}

/// Everything in a tenant's stream, page by page.
async fn everything(ground: &Ground, key: &str) -> Vec<serde_json::Value> {
    let (mut all, mut position) = (Vec::new(), 0);
    loop {
        let page = ground
            .get(key, &format!("/events?after={position}&limit=70"))
            .await;
        assert_eq!(page.status, 200, "{page:?}");
        let items = page.body["items"].as_array().expect("items").clone();
        position = page.body["position"].as_i64().expect("a number");
        if items.is_empty() {
            return all;
        }
        all.extend(items);
    }
}

/// Waits until the stream has so many events.
async fn until_numbered(ground: &Ground, key: &str, count: usize) -> Vec<serde_json::Value> {
    vestibule_tests::until("every event has its number", async || {
        let all = everything(ground, key).await;
        (all.len() >= count).then_some(all)
    })
    .await
}
