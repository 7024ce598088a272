//! What a simulator is started with: numbers, templates, which rules it holds, how it sends webhooks, how much it keeps.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::chat::Tick;
use super::template::TemplateSpec;
use crate::domain::Clock;

/// Everything that a run of the simulator depends on.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// Port 0 takes a free one; the handle says which.
    pub listen: SocketAddr,
    /// Meta's clock: windows, rates and timestamps follow it. Delays and retries run on real time.
    pub clock: Arc<dyn Clock>,
    /// Where webhooks go, plain `http`. May be set later; until then deliveries fail and are retried.
    pub webhook_url: Option<String>,
    /// Key of the webhook signature (`whatsapp-cloud-api.md` §1.2).
    pub app_secret: String,
    pub numbers: Vec<SimNumber>,
    pub templates: Vec<TemplateSpec>,
    pub statuses: StatusPolicy,
    pub checks: Checks,
    pub webhooks: WebhookPolicy,
    pub record: RecordLimits,
}

impl SimulatorConfig {
    /// A free local port, every rule held, everything recorded, no numbers yet.
    pub fn new(clock: Arc<dyn Clock>, app_secret: impl Into<String>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            clock,
            webhook_url: None,
            app_secret: app_secret.into(),
            numbers: Vec::new(),
            templates: Vec::new(),
            statuses: StatusPolicy::default(),
            checks: Checks::default(),
            webhooks: WebhookPolicy::default(),
            record: RecordLimits::default(),
        }
    }
}

/// The same as a file (TOML or JSON): what a simulator in a process of its own reads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatorSetup {
    pub webhook_url: Option<String>,
    pub app_secret: String,
    pub numbers: Vec<SimNumber>,
    pub templates: Vec<TemplateSpec>,
    pub statuses: StatusPolicy,
    pub checks: Checks,
    pub webhooks: WebhookPolicy,
    pub record: RecordLimits,
}

impl SimulatorSetup {
    pub fn listening(self, listen: SocketAddr, clock: Arc<dyn Clock>) -> SimulatorConfig {
        SimulatorConfig {
            listen,
            clock,
            webhook_url: self.webhook_url,
            app_secret: self.app_secret,
            numbers: self.numbers,
            templates: self.templates,
            statuses: self.statuses,
            checks: self.checks,
            webhooks: self.webhooks,
            record: self.record,
        }
    }
}

/// A business phone number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimNumber {
    pub phone_number_id: String,
    pub waba_id: String,
    /// Digits of the number itself.
    pub display_number: String,
    /// Messages per second, in and out together (`whatsapp-cloud-api.md` §6.7).
    #[serde(default = "default_throughput")]
    pub throughput: u32,
    pub access_token: String,
}

fn default_throughput() -> u32 {
    80
}

/// What becomes of an accepted send by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatusPolicy {
    /// The statuses to send, in this order; empty: only on command. A reaction gets `sent` only (§4.2).
    pub ticks: Vec<Tick>,
    /// Real time between acceptance and the first of them.
    pub delay_ms: u64,
}

impl Default for StatusPolicy {
    fn default() -> Self {
        Self {
            ticks: vec![Tick::Sent, Tick::Delivered, Tick::Read],
            delay_ms: 0,
        }
    }
}

impl StatusPolicy {
    /// Nothing by itself: a test sends every status on command.
    pub fn on_command() -> Self {
        Self {
            ticks: Vec::new(),
            delay_ms: 0,
        }
    }
}

/// Which of Meta's rules are held. A load generator that posts its own webhooks must switch off those that need to
/// have seen the customer's message (`window`, `message_ids`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checks {
    pub window: bool,
    pub pair: bool,
    pub throughput: bool,
    pub templates: bool,
    pub message_ids: bool,
    /// A media id must be one that was uploaded and has not expired.
    pub media: bool,
    /// How Meta refuses a free-form send outside the window: in the answer, or later by a `failed` status (§6.1).
    pub window_refusal_by_status: bool,
    /// How much too early a send may come before a rate counts as broken: two requests' ways through the network
    /// differ. A guess; a gateway that paces exactly needs less than a quarter of a second on one machine.
    pub rate_tolerance_ms: u64,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            window: true,
            pair: true,
            throughput: true,
            templates: true,
            message_ids: true,
            media: true,
            window_refusal_by_status: false,
            rate_tolerance_ms: 250,
        }
    }
}

/// How webhooks are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookPolicy {
    /// Connections, and so POSTs in flight. One customer's updates always use the same one, so they arrive in order.
    pub connections: usize,
    /// Most updates that are put into one POST when they are waiting anyway (Meta: up to about 1,000).
    pub batch: usize,
    /// How long an answer may take.
    pub timeout_ms: u64,
    /// Wait before the first redelivery; doubled each time up to `redelivery_max_ms`.
    pub redelivery_first_ms: u64,
    pub redelivery_max_ms: u64,
    /// Attempts in all before a body is given up.
    pub attempts: u32,
    /// Updates that may wait for delivery; more are dropped and counted.
    pub max_waiting: usize,
}

impl Default for WebhookPolicy {
    fn default() -> Self {
        Self {
            connections: 32,
            batch: 1,
            timeout_ms: 10_000,
            redelivery_first_ms: 1_000,
            redelivery_max_ms: 60_000,
            // With the waits above more than Meta's 36 hours (§1.2).
            attempts: 2_200,
            max_waiting: 1_000_000,
        }
    }
}

impl WebhookPolicy {
    /// Redelivery at the speed of a test.
    pub fn quick() -> Self {
        Self {
            redelivery_first_ms: 20,
            redelivery_max_ms: 200,
            timeout_ms: 5_000,
            ..Self::default()
        }
    }

    pub(super) fn backoff(&self, attempt: u32) -> Duration {
        let doubled = self
            .redelivery_first_ms
            .saturating_mul(1 << attempt.saturating_sub(1).min(20));
        Duration::from_millis(doubled.min(self.redelivery_max_ms))
    }
}

/// How much is kept in memory. What no longer fits is dropped, oldest first, and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordLimits {
    pub requests: usize,
    pub chat_items: usize,
    /// Of all chats together.
    pub chat_items_total: usize,
    pub violations: usize,
    /// Bytes of media in all.
    pub media_bytes: usize,
}

impl Default for RecordLimits {
    fn default() -> Self {
        Self {
            requests: 100_000,
            chat_items: 500,
            chat_items_total: 200_000,
            violations: 10_000,
            media_bytes: 256 << 20,
        }
    }
}

impl RecordLimits {
    /// Benchmark mode: bodies and chats are not kept, only counted.
    pub fn counts_only() -> Self {
        Self {
            requests: 0,
            chat_items: 0,
            chat_items_total: 0,
            violations: 100,
            media_bytes: 16 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setup_file_says_only_what_is_not_usual() {
        let setup: SimulatorSetup = toml::from_str(
            r#"
            app_secret = "secret"
            webhook_url = "http://127.0.0.1:8080/webhooks/whatsapp"
            [[numbers]]
            phone_number_id = "770001"
            waba_id = "990001"
            display_number = "441632960001"
            access_token = "EAAtoken"
            [statuses]
            ticks = ["sent"]
            [checks]
            window = false
            "#,
        )
        .expect("a setup");
        assert_eq!(setup.numbers[0].throughput, 80);
        assert_eq!(setup.statuses.ticks, [Tick::Sent]);
        assert!(!setup.checks.window && setup.checks.pair);
        assert!(toml::from_str::<SimulatorSetup>("unknown = 1").is_err());
    }

    #[test]
    fn redelivery_waits_longer_each_time_up_to_the_most() {
        let policy = WebhookPolicy::default();
        let waits = [1, 2, 7, 40].map(|attempt| policy.backoff(attempt).as_secs());
        assert_eq!(waits, [1, 2, 60, 60]);
    }
}
