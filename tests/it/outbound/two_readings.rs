//! Two readings of facts §4.3, the gateway's and the simulator's: every text of every example is lengthened until the
//! gateway refuses it, and the simulator must take the last that fitted and refuse the first that did not.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Value;
use vestibule::clock::SystemClock;
use vestibule::domain::outbound::Fault;
use vestibule::domain::{Clock, IdGenerator, OutboundContent, OutboxId, Phone, Recipient};
use vestibule::graph::client::{HttpClientConfig, SendOutcome, http_client};
use vestibule::graph::send::{self, Endpoint};
use vestibule::graph::{GraphClient, client::SendAnswer};
use vestibule::simulator::{Simulator, SimulatorConfig, SimulatorHandle};
use vestibule_tests::Business;

use super::samples::samples;
use super::street::WAIT;

const CUSTOMER: &str = "4915112345678";

/// Where Meta only advises (30 characters), and we keep to what every client shows (facts §4.3).
const WE_ARE_STRICTER: &[&str] = &["/cta"];

/// Every limit of a text that facts §4.3 has.
const LIMITS: [usize; 12] = [20, 24, 60, 72, 160, 200, 256, 512, 1024, 2000, 4096, 8192];

struct Meta {
    simulator: SimulatorHandle,
    graph: GraphClient,
    token: SecretString,
    number: String,
    ids: IdGenerator,
}

impl Meta {
    /// A number that a customer has just written to.
    async fn start() -> Self {
        vestibule_tests::tls::provide();
        let business = Business::new(1, 1, 1000);
        let mut config = SimulatorConfig::new(Arc::new(SystemClock), &business.app_secret);
        config.numbers = business.sim_numbers();
        // Lengths are asked, not paces, wamids and uploads.
        config.checks.pair = false;
        config.checks.throughput = false;
        config.checks.message_ids = false;
        config.checks.media = false;
        let number = business.sim_numbers().remove(0);
        let simulator = Simulator::start(config)
            .await
            .expect("the simulator starts");
        let customer = simulator.customer(&number.phone_number_id, CUSTOMER);
        customer.expect("a customer").text("hello").expect("sent");
        let http = http_client(&HttpClientConfig::default()).expect("a client");
        Self {
            graph: GraphClient::new(http, &simulator.base_url(), "v25.0"),
            simulator,
            token: SecretString::from(number.access_token),
            number: number.phone_number_id,
            ids: IdGenerator::new(1, SystemClock.now()),
        }
    }

    /// Is it accepted?
    async fn takes(&self, content: &OutboundContent) -> bool {
        let recipient = Recipient::Phone(Phone::parse(CUSTOMER).expect("a phone"));
        let id = OutboxId::from_raw(self.ids.next(SystemClock.now()));
        let body = send::body(&recipient, content, None, id);
        let endpoint = Endpoint::of(content);
        let answer = self
            .graph
            .send(&self.token, &self.number, endpoint, body, WAIT)
            .await;
        let SendAnswer { outcome, .. } = answer;
        match outcome {
            SendOutcome::Accepted(_) => true,
            SendOutcome::Refused(_) => false,
            other => panic!("{other:?}"),
        }
    }
}

/// JSON pointers to every text of an example.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) if !at.ends_with("/type") => found.push(at.to_owned()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                texts(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                texts(field, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

fn lengthened(sample: &Value, at: &str, length: usize) -> OutboundContent {
    let mut sample = sample.clone();
    *sample.pointer_mut(at).expect("the text") = Value::from("x".repeat(length));
    serde_json::from_value(sample).expect("content")
}

/// The longest text that the gateway takes here, if its length is what it is refused for.
fn limit(sample: &Value, at: &str) -> Option<usize> {
    LIMITS.into_iter().find(|most| {
        let fits = lengthened(sample, at, *most).check().is_ok();
        let beyond = lengthened(sample, at, most + 1).check();
        let long = |fault| matches!(fault, Fault::TooLong { .. });
        fits && beyond.is_err_and(|malformed| long(malformed.fault))
    })
}

#[tokio::test]
async fn the_gateway_and_the_simulator_draw_every_line_at_the_same_length() {
    let meta = Meta::start().await;
    let mut compared = 0;
    // What a template may come to depends on its stored words, which the gateway does not know.
    for sample in samples()
        .iter()
        .filter(|sample| sample["type"] != "template")
    {
        let mut found = Vec::new();
        texts(sample, "", &mut found);
        for at in found {
            let Some(most) = limit(sample, &at) else {
                continue;
            };
            let what = format!("{} {at} of {most}", sample["type"]);
            assert!(meta.takes(&lengthened(sample, &at, most)).await, "{what}");
            if !WE_ARE_STRICTER.contains(&at.as_str()) {
                assert!(
                    !meta.takes(&lengthened(sample, &at, most + 1)).await,
                    "{what} and 1"
                );
            }
            compared += 1;
        }
    }
    assert!(compared > 30, "only {compared} lines were found");
    meta.simulator.stop().await;
}
