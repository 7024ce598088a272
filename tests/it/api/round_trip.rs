//! Every fixture of a webhook on its whole way: posted to a node, told by the API. Each goes to a business of its own, to
//! whom Ines has written and who has answered her; all of them share one node.
//!
//! A snapshot has what the API answers after the post and did not before. What is null or empty is left out; ids of
//! ours, and times of ours, are not told.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use vestibule::access::Role;
use vestibule::clock::SystemClock;
use vestibule::domain::{Clock, TenantId};
use vestibule::simulator::{
    Checks, Signature, SimNumber, Simulator, SimulatorConfig, SimulatorHandle, StatusPolicy,
};
use vestibule::tenants::numbers::NewNumber;
use vestibule::tenants::{apps, credentials, numbers};
use vestibule_tests::{TestDatabase, for_each_database, settle, until};

use super::Ground;
use crate::ingest::fixtures::{
    BSUID, NOW, NUMBER, OUTBOX, PHONE, PORTFOLIO, WABA, fixtures, shifted,
};

const APP: &str = "900100";
/// Seconds from the first meeting to the fixtures' time.
const BEFORE: i64 = 4_000;
const SECRET: &str = "the-secret-of-the-round-trip";

#[tokio::test(flavor = "multi_thread")]
async fn the_api_tells_of_every_fixture_what_its_snapshot_shows() {
    for_each_database(async |database| {
        let street = Street::open(&database).await;
        let mut before = Vec::new();
        for business in &street.businesses {
            let position = street.position(business).await;
            before.push((position, street.told(business, position).await));
        }
        let fixtures = fixtures();
        for (business, (name, text)) in street.businesses.iter().zip(&fixtures) {
            street.post(name, &business.rewritten(text)).await;
        }
        street.settle(&database).await;
        let all = street.businesses.iter().zip(&fixtures).zip(&before);
        for ((business, (name, _)), (position, before)) in all {
            let after = street.told(business, *position).await;
            let new: Vec<&String> = after.difference(before).collect();
            snapshot(&format!("told_{name}"), &new);
        }
        let nobodys = street.told_to_the_operator().await;
        snapshot("told_to_the_operator", &nobodys.iter().collect::<Vec<_>>());
        street.ground.end().await;
    })
    .await;
}

fn snapshot(name: &str, lines: &[&String]) {
    let lines: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name.to_owned(), lines.join("\n"));
    });
}

struct Street {
    ground: Ground,
    meta: SimulatorHandle,
    businesses: Vec<Business>,
    /// Seconds from the fixtures' time to the test's.
    shift: i64,
}

struct Business {
    n: usize,
    tenant: TenantId,
    key: String,
    /// Ours.
    number: String,
    /// Meta's.
    phone_number_id: String,
    waba: String,
    portfolio: String,
    /// The answer that was sent.
    sent: String,
    sent_wamid: String,
    shift: i64,
}

impl Street {
    async fn open(database: &TestDatabase) -> Self {
        let count = fixtures().len();
        let mut config = SimulatorConfig::new(Arc::new(SystemClock), SECRET);
        config.numbers = (0..count).map(sim_number).collect();
        config.statuses = StatusPolicy::on_command();
        // It has not seen what is posted here, and nothing is sent twice.
        config.checks = Checks {
            window: false,
            message_ids: false,
            ..Checks::default()
        };
        let meta = Simulator::start(config).await.expect("a simulator");
        let url = meta.base_url();
        let ground = Ground::with(database, |deployment| {
            deployment
                .with("graph.base_url", &url)
                .with("api.requests_per_minute", "60000")
        })
        .await;
        meta.set_webhook(&ground.node.webhook_url(), None)
            .expect("a URL");
        add_app(&ground).await;
        // The meeting is now; what the fixtures tell comes after it.
        let shift = ground.clock.now().millis() / 1000 - NOW + BEFORE;
        let mut businesses = Vec::with_capacity(count);
        for n in 0..count {
            businesses.push(Business::open(&ground, n, shift).await);
        }
        ground.node.directory.refresh().await.expect("setup reads");
        let mut street = Self {
            ground,
            meta,
            businesses,
            shift,
        };
        street.meet(database).await;
        street
    }

    /// Ines writes to everybody, and is answered.
    async fn meet(&mut self, database: &TestDatabase) {
        for n in 0..self.businesses.len() {
            let hello = self.businesses[n].hello();
            self.post("hello", &hello).await;
        }
        self.settle(database).await;
        for n in 0..self.businesses.len() {
            let business = &self.businesses[n];
            let talks = self.ground.get(&business.key, "/conversations").await;
            let talk = &talks.body["items"][0]["id"];
            let talk = format!("/conversations/{}", talk.as_str().expect("a conversation"));
            let answer = json!({"content": {"type": "text", "body": "on its way"}});
            let path = format!("{talk}/messages");
            let said = self.ground.post(&business.key, &path, &answer).await;
            let sent = said.body["message"]["id"].as_str().expect("a message");
            self.businesses[n].sent = sent.to_owned();
            let (key, path) = (&self.businesses[n].key, format!("{talk}/hand_back"));
            let back = self.ground.post(key, &path, &json!({})).await;
            assert_eq!(back.status, 200, "{back:?}");
        }
        self.settle(database).await;
        for business in &mut self.businesses {
            let path = format!("/messages/{}", business.sent);
            let sent = self.ground.get(&business.key, &path).await;
            let wamid = sent.body["wamid"].as_str().expect("it was accepted");
            business.sent_wamid = wamid.to_owned();
        }
        let later = std::time::Duration::from_secs(BEFORE.unsigned_abs());
        self.ground.clock.advance(later);
    }

    async fn post(&self, name: &str, body: &str) {
        let posted = self.meta.deliver_body(body.to_owned(), Signature::Valid, 1);
        let status = posted.await.expect("an answer")[0].as_u16();
        assert_eq!(status, 200, "{name}");
    }

    /// Waits until nothing is under way, and every event has its number.
    async fn settle(&self, database: &TestDatabase) {
        let db = database.open().await;
        settle(&db).await;
        db.close().await;
        until("every event has its number", async || {
            let waiting = database.count("SELECT COUNT(*) FROM stream_batch").await;
            (waiting == 0).then_some(())
        })
        .await;
    }

    /// The last number of a business's stream.
    async fn position(&self, business: &Business) -> i64 {
        let page = self.ground.get(&business.key, "/events?limit=200").await;
        page.body["position"].as_i64().expect("a number")
    }

    /// All that the API tells a business, a line a thing; events after this number.
    async fn told(&self, business: &Business, position: i64) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        let events = format!("/events?after={position}");
        let number = format!("/numbers/{}", business.number);
        let sent = format!("/messages/{}", business.sent);
        for (what, path) in [("number", number), ("message", sent)] {
            let answer = self.ground.get(&business.key, &path).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            all.insert(self.line(business, what, answer.body));
        }
        for (what, path) in [
            ("contact", "/contacts"),
            ("conversation", "/conversations"),
            ("fact", "/account-facts"),
            ("account event", "/account-events"),
            ("hold", "/holds"),
            ("event", events.as_str()),
        ] {
            for item in self.items(&business.key, path).await {
                if what == "conversation" {
                    let id = item["id"].as_str().expect("an id");
                    let path = format!("/conversations/{id}/history");
                    for entry in self.items(&business.key, &path).await {
                        if entry["out"]["id"] == business.sent.as_str() {
                            // Told above.
                            continue;
                        }
                        all.insert(self.line(business, "history", entry));
                    }
                }
                all.insert(self.line(business, what, item));
            }
        }
        all
    }

    /// What names no number that is set up.
    async fn told_to_the_operator(&self) -> Vec<String> {
        let mut all = BTreeSet::new();
        for item in self
            .items(&self.ground.operator, "/account-events?limit=200")
            .await
        {
            let mut line = self.shown("account event", item);
            for business in &self.businesses {
                line = business.back(line);
            }
            all.insert(line);
        }
        all.into_iter().collect()
    }

    async fn items(&self, key: &str, path: &str) -> Vec<Value> {
        let answer = self.ground.get(key, path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert!(answer.body["next_cursor"].is_null(), "{path}: one page");
        answer.body["items"].as_array().expect("items").clone()
    }

    fn line(&self, business: &Business, what: &str, item: Value) -> String {
        business.back(self.shown(what, item))
    }

    fn shown(&self, what: &str, mut item: Value) -> String {
        if let Some(item) = item.as_object_mut() {
            item.remove("seq");
        }
        let now = self.ground.clock.now().millis();
        let item = clean(item, now).unwrap_or_default();
        let line = shifted(&format!("{what} {item}"), |secs| secs - self.shift);
        without_ids(&line)
    }
}

/// Without what is null or empty; times as Meta's seconds, or `(now)`.
fn clean(value: Value, now: i64) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(text) => {
            let time: Option<jiff::Timestamp> = text.parse().ok();
            Some(Value::String(
                match time.map(|time| time.as_millisecond()) {
                    Some(at) if (now - 2_000..=now + 2_000).contains(&at) => "(now)".to_owned(),
                    Some(at) => (at / 1000).to_string(),
                    None => text,
                },
            ))
        }
        Value::Array(items) => {
            let items: Vec<Value> = items
                .into_iter()
                .filter_map(|one| clean(one, now))
                .collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(fields) => {
            let fields: serde_json::Map<String, Value> = fields
                .into_iter()
                .filter_map(|(key, one)| Some((key, clean(one, now)?)))
                .collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        other => Some(other),
    }
}

/// `con_0abc…` → `con_*`: three letters, a line, thirteen digits and letters.
fn without_ids(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('_') {
        let (before, after) = rest.split_at(at + 1);
        let id: String = after
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        let prefix = before.trim_end_matches('_').chars().rev().take(3);
        let is_id = id.len() == 13 && prefix.filter(char::is_ascii_lowercase).count() == 3;
        out.push_str(before);
        if is_id {
            out.push('*');
            rest = &after[13..];
        } else {
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

impl Business {
    async fn open(ground: &Ground, n: usize, shift: i64) -> Self {
        let name = format!("business {n}");
        let tenant = ground.tenant(&name).await;
        let token = secrecy::SecretString::from(token(n));
        credentials::add(ground.setup(), &name, "main", &token, false)
            .await
            .expect("a credential");
        let new = NewNumber {
            tenant: name,
            app: Some(APP.to_owned()),
            credential: "main".to_owned(),
            portfolio: Some(meta_id("5500", n)),
            waba_id: meta_id("9900", n),
            phone_number_id: meta_id("7700", n),
            display_number: "+44 1632 960111".to_owned(),
            time_zone: "Europe/London".to_owned(),
            throughput: 80,
        };
        let number = numbers::add(ground.setup(), &new).await.expect("a number");
        Self {
            n,
            tenant,
            key: ground.key(tenant, Role::TenantAdmin).await,
            number: number.id.to_string(),
            phone_number_id: new.phone_number_id,
            waba: new.waba_id,
            portfolio: meta_id("5500", n),
            sent: String::new(),
            sent_wamid: "wamid.UNKNOWN".to_owned(),
            shift,
        }
    }

    fn hello(&self) -> String {
        let at = NOW - BEFORE + self.shift;
        let message = json!({"from": PHONE, "from_user_id": BSUID, "id": format!("wamid.{}.HELLO", self.n),
            "timestamp": at.to_string(), "type": "text", "text": {"body": "hello"}});
        let contact = json!({"profile": {"name": "Ines"}, "wa_id": PHONE, "user_id": BSUID});
        let value = json!({"messaging_product": "whatsapp", "contacts": [contact], "messages": [message],
            "metadata": {"display_phone_number": "441632960111", "phone_number_id": self.phone_number_id}});
        let change = json!({"field": "messages", "value": value});
        let entry = json!({"id": self.waba, "changes": [change]});
        json!({"object": "whatsapp_business_account", "entry": [entry]}).to_string()
    }

    /// The fixture as Meta would send it to this business, today.
    fn rewritten(&self, text: &str) -> String {
        let text = text
            .replace(NUMBER, &self.phone_number_id)
            .replace(WABA, &self.waba)
            .replace(PORTFOLIO, &self.portfolio)
            .replace("wamid.", &format!("wamid.{}.", self.n))
            .replace(OUTBOX, &self.sent);
        shifted(&text, |secs| secs + self.shift)
    }

    fn back(&self, line: String) -> String {
        line.replace(&self.phone_number_id, NUMBER)
            .replace(&self.waba, WABA)
            .replace(&self.portfolio, PORTFOLIO)
            .replace(&format!("wamid.{}.", self.n), "wamid.")
            .replace(&self.tenant.to_string(), "ten_*")
            .replace(&self.sent_wamid, "wamid.SENT")
    }
}

fn meta_id(kind: &str, n: usize) -> String {
    format!("{kind}{n:011}")
}

fn token(n: usize) -> String {
    format!("token-{n}")
}

fn sim_number(n: usize) -> SimNumber {
    SimNumber {
        phone_number_id: meta_id("7700", n),
        waba_id: meta_id("9900", n),
        display_number: format!("44163296{n:04}"),
        throughput: 80,
        access_token: token(n),
    }
}

async fn add_app(ground: &Ground) {
    let app = apps::NewApp {
        meta_app_id: APP.to_owned(),
        name: "the app".to_owned(),
        verify_token: secrecy::SecretString::from("a-verify-token"),
        secrets: vec![secrecy::SecretString::from(SECRET)],
        is_default: true,
    };
    apps::add(ground.setup(), &app).await.expect("an app");
}
