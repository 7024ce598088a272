//! A town: a simulated Meta, a business with a plugin, and nodes that serve it; and what must hold of it at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use vestibule::clock::SystemClock;
use vestibule::domain::OutboxId;
use vestibule::simulator::{Simulator, SimulatorConfig, SimulatorHandle, WebhookPolicy};

use crate::{Business, Deployment, InProcessNode, Program, TestDatabase};

/// Everything around the nodes of a test.
pub struct Town {
    pub business: Business,
    pub deployment: Deployment,
    pub meta: SimulatorHandle,
}

impl Town {
    /// Two tenants with two numbers each, all with this component and every grant that test guests ask for.
    pub async fn with_plugin(database: &TestDatabase, component: &[u8], grants: &[&str]) -> Self {
        let town = Self::without_plugin(database).await;
        let file = town.deployment.data_dir("component").with_extension("wasm");
        std::fs::write(&file, component).expect("the component is written");
        town.business
            .install(&town.deployment, "node", &file, grants)
            .await;
        town
    }

    pub async fn without_plugin(database: &TestDatabase) -> Self {
        let business = Business::new(2, 2, 1000);
        let mut config = SimulatorConfig::new(Arc::new(SystemClock), &business.app_secret);
        config.numbers = business.sim_numbers();
        config.webhooks = WebhookPolicy::quick();
        // Tests write their own webhooks, which open no window at the simulator, and burst as no person does.
        config.record.requests = 1_000_000;
        config.checks.window = false;
        config.checks.message_ids = false;
        config.checks.pair = false;
        config.checks.throughput = false;
        let meta = Simulator::start(config)
            .await
            .expect("the simulator starts");
        let deployment = Deployment::new(Program::under_test(), &database.url, &meta.base_url())
            .with("leases.ttl", "3s")
            .with("leases.renew_every", "500ms");
        business.onboard(&deployment, "node").await;
        Self {
            business,
            deployment,
            meta,
        }
    }

    /// A node in this process, to which Meta's webhooks go from now on.
    pub async fn node(&self, name: &str) -> InProcessNode {
        let clock = Arc::new(SystemClock);
        let node = self.deployment.start_in_process(name, clock).await;
        self.meta
            .set_webhook(&node.webhook_url(), None)
            .expect("a URL");
        node
    }
}

/// One `messages[]` element with its contact, as Meta writes them.
pub fn message(n: usize, customer: &str, text: &str, at: i64) -> serde_json::Value {
    serde_json::json!({
        "from": customer, "id": format!("wamid.test-{customer}-{n}"), "timestamp": at.to_string(), "type": "text",
        "text": { "body": text },
    })
}

/// A body with changes of several numbers: `(WABA, phone-number id, messages)`.
pub fn body(changes: &[(&str, &str, Vec<serde_json::Value>)]) -> Vec<u8> {
    let entries: Vec<_> = changes
        .iter()
        .map(|(waba, number, messages)| {
            serde_json::json!({ "id": waba, "changes": [{ "field": "messages", "value": {
                "messaging_product": "whatsapp",
                "metadata": { "display_phone_number": "1", "phone_number_id": number },
                "messages": messages,
            }}]})
        })
        .collect();
    serde_json::json!({ "object": "whatsapp_business_account", "entry": entries })
        .to_string()
        .into_bytes()
}

/// Meta's time now, in whole seconds.
pub fn now_secs() -> i64 {
    use vestibule::domain::Clock as _;
    SystemClock.now().millis() / 1000
}

/// What the database and the simulator say at the end: promises 2, 3 and 5, counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Balance {
    pub events: i64,
    pub turns: i64,
    /// Pairs of messages of one conversation whose turns did not come in their order, by the turns' ids: whichever node
    /// made them, ids are in the order of time.
    pub out_of_order: i64,
    /// Answers that Meta got before the answer to an earlier message of the same conversation, of which nobody was in
    /// doubt: a doubt holds its conversation for at most 30 s (promise 5), and may be settled after its followers went.
    pub overtaking: usize,
    /// Sends that Meta accepted more than once although nobody was in doubt about them.
    pub doubled: usize,
    /// Sends that went out again by rule, and are listed as such.
    pub repeated_by_rule: usize,
    /// Sends that Meta never got and that are not listed as given up.
    pub missing: usize,
    /// Sends listed as given up, in doubt.
    pub given_up: i64,
}

impl Balance {
    pub async fn of(database: &TestDatabase, meta: &SimulatorHandle) -> Self {
        let accepted = accepted(meta);
        let rows = database.texts(
            "SELECT CAST(id AS TEXT) || ' ' || CAST(state AS TEXT) || ' ' || CAST(doubts AS TEXT) FROM outbox ORDER BY id",
        );
        let mut balance = Self {
            events: database.count("SELECT COUNT(*) FROM inbound_event WHERE kind = 1").await,
            turns: database.count("SELECT COUNT(*) FROM turn").await,
            out_of_order: database
                .count(
                    "SELECT COUNT(*) FROM inbound_event a JOIN inbound_event b ON a.conversation = b.conversation
                        AND a.seq < b.seq
                     WHERE a.kind = 1 AND b.kind = 1 AND a.turn >= b.turn",
                )
                .await,
            given_up: database.count("SELECT COUNT(*) FROM outbox WHERE state = 5").await,
            ..Self::default()
        };
        let mut doubted = BTreeSet::new();
        for row in rows.await {
            let mut parts = row
                .split(' ')
                .map(|part| part.parse::<i64>().expect("a number"));
            let (id, state, doubts) = (parts.next(), parts.next(), parts.next());
            let id = OutboxId::from_raw(id.expect("an id")).to_string();
            let times = accepted.get(&id).map_or(0, Vec::len);
            let in_doubt = doubts.unwrap_or(0) > 0;
            balance.missing += usize::from(times == 0 && state == Some(2));
            balance.doubled += usize::from(times > 1 && !in_doubt);
            balance.repeated_by_rule += usize::from(times > 1 && in_doubt);
            if in_doubt {
                doubted.insert(id);
            }
        }
        let answers = answers(database).await;
        let overtaking = |ids: &Vec<String>| overtaking(ids, &doubted, &accepted);
        balance.overtaking = answers.values().map(overtaking).sum();
        balance
    }
}

/// Each conversation's answers in the order of the messages that they answer.
async fn answers(database: &TestDatabase) -> BTreeMap<String, Vec<String>> {
    let rows = database.texts(
        "SELECT CAST(e.conversation AS TEXT) || ' ' || CAST(o.id AS TEXT)
         FROM inbound_event e JOIN outbox o ON o.turn = e.turn
         WHERE e.kind = 1 AND e.turn <> 0 ORDER BY e.conversation, e.seq, o.id",
    );
    let mut answers = BTreeMap::<String, Vec<String>>::new();
    for row in rows.await {
        let (conversation, id) = row.split_once(' ').expect("two numbers");
        let id = OutboxId::from_raw(id.parse().expect("a number")).to_string();
        answers.entry(conversation.to_owned()).or_default().push(id);
    }
    answers
}

/// How many of these Meta had before one that stands before them and was not in doubt. When a send went out again, its
/// first time counts.
fn overtaking(
    ids: &[String],
    doubted: &BTreeSet<String>,
    accepted: &BTreeMap<String, Vec<Instant>>,
) -> usize {
    let (mut latest, mut overtaking) = (None, 0);
    for id in ids {
        let arrived = accepted
            .get(id)
            .and_then(|times| times.iter().min().copied());
        overtaking += usize::from(arrived.is_some() && arrived < latest);
        if !doubted.contains(id) {
            latest = latest.max(arrived);
        }
    }
    overtaking
}

/// When Meta took each send, by our id.
fn accepted(meta: &SimulatorHandle) -> BTreeMap<String, Vec<Instant>> {
    let mut times = BTreeMap::<String, Vec<Instant>>::new();
    for request in meta.requests() {
        if let (Some(opaque), Some(_)) = (&request.opaque, &request.answer.wamid) {
            times
                .entry(opaque.clone())
                .or_default()
                .push(request.received);
        }
    }
    times
}
