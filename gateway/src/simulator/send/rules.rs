//! The rules that depend on who is written to and who writes: bans, limits, window, pair, throughput
//! (`whatsapp-cloud-api.md` §6.1, §6.6, §6.7, §6.10).

use std::time::Duration;

use serde_json::Value;

use super::super::error::GraphError;
use super::super::number::{Customer, Number};
use super::super::rate::{self, TooFast};
use super::super::template::TemplateCategory;
use super::super::waba::SendKind;
use super::super::world::World;
use super::content::Content;
use crate::domain::Timestamp;

impl World {
    /// Whether number and account may send at all.
    pub(super) fn number_may_send(
        &self,
        number: &Number,
        key: &str,
        content: &Content,
    ) -> Result<(), GraphError> {
        let account = number.account.lock();
        if !account.state.registered {
            return Err(GraphError::new(133010, "The number is not registered"));
        }
        match account.state.status.as_str() {
            "BANNED" | "RESTRICTED" => {
                return Err(GraphError::new(131031, "The number is restricted"));
            }
            "RATE_LIMITED" => {
                return Err(GraphError::new(
                    131048,
                    "The number is limited after many blocks or reports",
                ));
            }
            _ => {}
        }
        if account.blocked.contains(key) {
            return Err(GraphError::new(
                130403,
                "The business has blocked this user",
            ));
        }
        drop(account);
        if content.template.is_some() || content.edge != super::Edge::Messages {
            content
                .edge
                .allows(&self.waba(number.waba_id()), content.template)?;
        }
        Ok(())
    }

    /// Account, window, limit, pair and throughput. Only a send that passes all of them uses the rates up. `Some`:
    /// accepted now, refused by a status later.
    pub(super) fn hold_to_rules(
        &self,
        number: &Number,
        key: &str,
        content: &Content,
    ) -> Result<Option<GraphError>, GraphError> {
        let now = self.clock.now();
        let tolerance = Duration::from_millis(self.checks.rate_tolerance_ms);
        let until = number.with_customer(key, |customer| customer.window_until);
        let closed = until <= now;
        let utility = content.template == Some(TemplateCategory::Utility);
        let kind = if closed {
            SendKind::Outside { utility }
        } else {
            SendKind::InWindow
        };
        self.account_allows(number.waba_id(), &kind)?;
        let mut late_refusal = None;
        if self.checks.window && content.template.is_none() && closed {
            let error = window_closed(until);
            if !self.checks.window_refusal_by_status {
                return Err(error);
            }
            late_refusal = Some(error);
        } else if closed && content.template.is_some() {
            self.admit_to_tier(number.waba_id(), key)?;
        }
        number.with_customer(key, |customer| {
            let pair = if self.checks.pair {
                rate::admit_pair(customer.pair, now, tolerance).map_err(pair_exceeded)?
            } else {
                customer.pair
            };
            if self.checks.throughput {
                number.throughput.admit(now).map_err(throughput_exceeded)?;
            }
            customer.pair = pair;
            Ok(late_refusal)
        })
    }

    /// What Meta finds out only after it has accepted a send.
    pub(super) fn fails_later(
        &self,
        number: &Number,
        key: &str,
        content: &Content,
        message: &Value,
    ) -> Option<GraphError> {
        let profile = number.profile(key);
        if !profile.reachable {
            return Some(GraphError::new(131026, "Message undeliverable"));
        }
        let given = message["recipient_identity_key_hash"].as_str();
        if given.is_some() && given != profile.identity_key.as_deref() {
            return Some(GraphError::new(
                137000,
                "The recipient's identity key hash does not match",
            ));
        }
        let marketing = content.template == Some(TemplateCategory::Marketing);
        if marketing && profile.stopped_marketing {
            return Some(GraphError::new(
                131050,
                "The user has stopped marketing messages from this business",
            ));
        }
        None
    }
}

impl Customer {
    /// Until when messages are free: a reply within a day to who came by an ad opens three days (§6.2).
    pub(super) fn free_entry(&mut self, now: Timestamp) -> Option<Timestamp> {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        if let Some(came) = self.came_by_ad.take()
            && now.since(came) < DAY
        {
            self.free_until = now.plus(3 * DAY);
        }
        (self.free_until > now).then_some(self.free_until)
    }
}

fn window_closed(until: Timestamp) -> GraphError {
    let details = if until == Timestamp::ZERO {
        "Message failed to send because the customer has never replied to this number".to_owned()
    } else {
        format!(
            "Message failed to send because more than 24 hours have passed since the customer last replied to this \
             number (window ended {until})"
        )
    };
    GraphError::new(131047, details)
}

fn pair_exceeded(too_fast: TooFast) -> GraphError {
    GraphError::new(
        131056,
        format!(
            "Message failed to send because there were too many messages sent from this phone number to the same \
             phone number in a short period of time ({} ms too early)",
            too_fast.wait.as_millis()
        ),
    )
}

fn throughput_exceeded(too_fast: TooFast) -> GraphError {
    GraphError::new(
        130429,
        format!(
            "Message failed to send because there were too many messages sent from this phone number in a short \
             period of time ({} ms too early)",
            too_fast.wait.as_millis()
        ),
    )
}
