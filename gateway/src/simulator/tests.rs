//! The simulator from outside: a Graph client over HTTP on one side, a webhook endpoint on the other.

mod accounts;
mod customers;
mod endpoint;
mod faults;
mod kinds;
mod platform;
mod rules;
mod shapes;
mod templates;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use self::endpoint::Endpoint;
use super::*;
use crate::domain::Timestamp;
use crate::domain::time::ManualClock;

const NUMBER: &str = "770001";
const OTHER: &str = "770002";
const WABA: &str = "990001";
const TOKEN: &str = "EAAtoken";
const SECRET: &str = "app-secret";
const INES: &str = "447700900123";
/// How long a test waits for what must come.
const SOON: Duration = Duration::from_secs(10);

/// A running simulator with its webhook endpoint, a clock and a Graph client.
struct Bench {
    simulator: SimulatorHandle,
    endpoint: Endpoint,
    clock: Arc<ManualClock>,
    client: reqwest::Client,
}

fn number(id: &str, waba: &str) -> SimNumber {
    SimNumber {
        phone_number_id: id.to_owned(),
        waba_id: waba.to_owned(),
        display_number: format!("44163296{}", &id[2..]),
        throughput: 80,
        access_token: TOKEN.to_owned(),
    }
}

impl Bench {
    async fn start() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut SimulatorConfig)) -> Self {
        let _already_set = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_795_252_000)));
        let endpoint = Endpoint::start().await;
        let mut config = SimulatorConfig::new(clock.clone(), SECRET);
        config.webhook_url = Some(endpoint.url());
        config.numbers = vec![number(NUMBER, WABA), number(OTHER, "990002")];
        config.webhooks = WebhookPolicy::quick();
        config.checks.rate_tolerance_ms = 0;
        change(&mut config);
        Self {
            simulator: Simulator::start(config).await.expect("a free port"),
            endpoint,
            clock,
            client: reqwest::Client::builder().build().expect("a client"),
        }
    }

    fn ines(&self) -> Customer {
        self.simulator.customer(NUMBER, INES).expect("a number")
    }

    async fn post(&self, body: &Value) -> Result<(u16, Value), reqwest::Error> {
        self.post_to(NUMBER, TOKEN, body).await
    }

    async fn post_to(
        &self,
        number: &str,
        token: &str,
        body: &Value,
    ) -> Result<(u16, Value), reqwest::Error> {
        let url = format!("{}/v25.0/{number}/messages", self.simulator.base_url());
        let answer = self
            .client
            .post(url)
            .bearer_auth(token)
            .json(body)
            .send()
            .await?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await?))
    }

    /// Any call of Graph's API with the number's token: status and answer.
    async fn graph(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}/v25.0/{path}", self.simulator.base_url());
        let method = method.parse().expect("a method");
        let mut request = self.client.request(method, url).bearer_auth(TOKEN);
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("JSON"))
    }

    /// The `value` of the first webhook of this field.
    async fn field(&self, field: &str) -> Value {
        loop {
            let received = self.endpoint.received();
            let changes = received
                .iter()
                .map(|one| one.json()["entry"][0]["changes"][0].clone());
            if let Some(change) = changes.into_iter().find(|change| change["field"] == field) {
                return change["value"].clone();
            }
            self.endpoint.wait(received.len() + 1).await;
        }
    }

    /// Posts and returns Meta's error code, 0 when accepted.
    async fn code(&self, body: &Value) -> i64 {
        let (_, answer) = self.post(body).await.expect("an answer");
        answer["error"]["code"].as_i64().unwrap_or(0)
    }

    fn codes_of_violations(&self) -> Vec<i64> {
        let violations = self.simulator.violations();
        violations.iter().map(|breach| breach.code).collect()
    }
}

fn text(body: &str) -> Value {
    json!({
        "messaging_product": "whatsapp",
        "to": "+44 7700 900123",
        "type": "text",
        "text": { "body": body },
        "biz_opaque_callback_data": "out_1",
    })
}

fn template(name: &str, parameters: &Value) -> Value {
    json!({
        "messaging_product": "whatsapp",
        "to": INES,
        "type": "template",
        "template": {
            "name": name,
            "language": { "code": "en" },
            "components": [{ "type": "body", "parameters": parameters }],
        },
    })
}
