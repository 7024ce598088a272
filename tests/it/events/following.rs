//! Two numbers of different tenants, an outside inbox that follows by hooks and answers by API: the bot falls silent in the
//! same commit, and comes back when it is told.

use reqwest::Client;
use serde_json::{Value, json};
use vestibule::access::keys::{self, NewKey};
use vestibule::access::{Grant, Role, shown_once};
use vestibule::domain::TenantId;
use vestibule_tests::town::Town;
use vestibule_tests::{InProcessNode, TestDatabase, for_each_database, guests, settle};

use super::receiver::{Received, Receiver};

struct Inbox {
    client: Client,
    root: String,
    key: String,
    receiver: Receiver,
}

impl Inbox {
    async fn of(node: &InProcessNode, tenant: TenantId) -> Self {
        let new = NewKey {
            realm: tenant,
            name: "the inbox".to_owned(),
            grant: Some(Grant::Role(Role::Developer)),
            user: None,
            expires_at: None,
        };
        let (_, token) = keys::create(&node.context.setup, new).await.expect("a key");
        let inbox = Self {
            client: Client::builder().build().expect("a client"),
            root: format!("http://{}/api/v1", node.api),
            key: shown_once(&token),
            receiver: Receiver::start().await,
        };
        let hook = inbox
            .post("/hooks", json!({"url": inbox.receiver.url()}))
            .await;
        inbox
            .receiver
            .knows(hook["secret"].as_str().expect("shown once"));
        inbox
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = self
            .client
            .post(format!("{}{path}", self.root))
            .bearer_auth(&self.key);
        let answer = request.json(&body).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Waits for the next event of a kind, after this number.
    async fn next(&self, kind: &str, after: i64) -> Received {
        vestibule_tests::until(kind, async || {
            let taken = self.receiver.taken().into_iter();
            let mut fitting: Vec<_> = taken
                .filter(|r| r.kind() == kind && r.seq() > after)
                .collect();
            fitting.sort_by_key(Received::seq);
            fitting.into_iter().next()
        })
        .await
    }
}

async fn tenant(database: &TestDatabase, name: &str) -> TenantId {
    let sql = format!("SELECT CAST(id AS TEXT) FROM tenant WHERE name = '{name}'");
    let rows = database.texts(sql.leak()).await;
    TenantId::from_raw(rows[0].parse().expect("a number"))
}

fn say(town: &Town, number: usize, text: &str) {
    let number = &town.business.numbers[number].phone_number_id;
    let customer = town
        .meta
        .customer(number, "4915155500001")
        .expect("a customer");
    customer.text(text).expect("sent");
}

async fn done(town: &Town, database: &TestDatabase) {
    town.meta.webhooks_idle().await;
    let db = database.open().await;
    settle(&db).await;
    db.close().await;
}

/// Replies of plugins to customers of a number.
async fn replies(database: &TestDatabase, tenant: TenantId) -> i64 {
    let sql = format!(
        "SELECT COUNT(*) FROM outbox WHERE turn <> 0 AND tenant = {}",
        tenant.raw()
    );
    database.count(sql.leak()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outside_inbox_follows_takes_over_and_hands_back() {
    for_each_database(async |database| {
        let mut town = Town::with_plugin(&database, guests::ECHO, &[]).await;
        town.deployment = town
            .deployment
            .with("hooks.allow_private_addresses", "true");
        let node = town.node("node").await;
        let (one, two) = (
            tenant(&database, "tenant-0").await,
            tenant(&database, "tenant-1").await,
        );
        let inbox = Inbox::of(&node, one).await;

        say(&town, 0, "hello");
        say(&town, 2, "hello");
        done(&town, &database).await;
        assert_eq!(
            (replies(&database, one).await, replies(&database, two).await),
            (1, 1)
        );
        // The bot has it: the inbox gets copies, in the shape that Meta gives to whoever does not own a conversation.
        let received = inbox.next("message.received", 0).await;
        let data = &received.event["data"];
        assert_eq!(data["field"], "standby");
        let standby = &data["value"]["standby"];
        assert_eq!(standby["messages"][0]["text"]["body"], "hello");
        assert_eq!(standby["contacts"][0]["wa_id"], "4915155500001");
        let sent = inbox.next("message.sent", 0).await;
        let echo = &sent.event["data"]["value"]["standby"]["message_echoes"][0];
        assert_eq!(echo["message"]["type"], "text");
        assert!(
            echo["id"]
                .as_str()
                .is_some_and(|id| id.starts_with("wamid.")),
            "{echo}"
        );
        let status = inbox.next("message.status", 0).await;
        assert!(status.event["data"]["value"]["statuses"][0]["status"].is_string());

        let talk = data["conversation"]["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let text = json!({"content": {"type": "text", "body": "Ana here, how can I help?"}});
        let said = inbox
            .post(&format!("/conversations/{talk}/messages"), text)
            .await;
        assert_eq!(said["took_over"], true);
        assert_eq!(
            said["conversation"]["owner"],
            json!({"kind": "external", "name": "the inbox"})
        );
        let taken = inbox.next("conversation.assigned", 0).await;
        assert_eq!(taken.event["data"]["value"]["type"], "control_taken");
        inbox.next("conversation.first_human_reply", 0).await;
        say(&town, 0, "my order is late");
        say(&town, 2, "and mine?");
        done(&town, &database).await;
        // Silent here, and nowhere else.
        assert_eq!(
            (replies(&database, one).await, replies(&database, two).await),
            (1, 2)
        );
        let received = inbox.next("message.received", taken.seq()).await;
        assert_eq!(received.event["data"]["field"], "messages");
        let messages = &received.event["data"]["value"]["messages"];
        assert_eq!(messages[0]["text"]["body"], "my order is late");

        inbox
            .post(
                &format!("/conversations/{talk}/hand_back"),
                json!({"note": "solved"}),
            )
            .await;
        let back = inbox.next("conversation.handed_back", 0).await;
        assert_eq!(back.event["data"]["value"]["type"], "control_passed");
        say(&town, 0, "thanks");
        done(&town, &database).await;
        assert_eq!(
            (replies(&database, one).await, replies(&database, two).await),
            (2, 2)
        );

        // Every event of its own tenant, no gap, nobody else's.
        let last = inbox.next("message.sent", back.seq()).await.seq();
        let taken = inbox.receiver.until_taken(1..=last).await;
        assert!(
            taken
                .iter()
                .all(|request| request.event["tenant"] == one.to_string())
        );
        node.end().await;
    })
    .await;
}
