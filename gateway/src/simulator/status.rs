//! Statuses of accepted sends: which come, what they say (`whatsapp-cloud-api.md` §3), and the ticks they leave.

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;

use super::chat::Tick;
use super::error::GraphError;
use super::faults::WebhookFault;
use super::identity::Identity;
use super::number::Number;
use super::wamid::{self, Direction};
use super::webhook::{Kind, Update, ascii_json};
use super::world::{Unknown, World};
use crate::domain::Timestamp;

/// What a status needs to know about its send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billing {
    /// `service` or the template's category, lower-case.
    pub category: Cow<'static, str>,
    /// The send was addressed to the phone, not to the BSUID.
    pub by_phone: bool,
    /// A `delivered` or `read` with pricing has been sent already.
    pub priced: bool,
    /// Sent inside of a free entry point, which lasts until then (§6.2).
    pub free_until: Option<Timestamp>,
}

impl Default for Billing {
    fn default() -> Self {
        Self {
            category: Cow::Borrowed("service"),
            by_phone: true,
            priced: false,
            free_until: None,
        }
    }
}

/// A send whose statuses are due.
pub(super) struct Sent<'a> {
    pub number: &'a Number,
    pub key: &'a str,
    pub wamid: &'a str,
    pub opaque: Option<&'a str>,
}

#[derive(Serialize)]
struct Element<'a> {
    id: &'a str,
    status: &'static str,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    biz_opaque_callback_data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<Conversation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pricing: Option<Pricing<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<[StatusError<'a>; 1]>,
}

/// Since v24 of a free entry point only (§3.1).
#[derive(Serialize)]
struct Conversation {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration_timestamp: Option<String>,
    origin: Origin,
}

#[derive(Serialize)]
struct Origin {
    r#type: &'static str,
}

/// Per-message pricing (§3.1). A service message is shown as inside the free allowance: which `type` one beyond it
/// carries is unverified (§6.3).
#[derive(Serialize)]
struct Pricing<'a> {
    billable: bool,
    pricing_model: &'static str,
    r#type: &'static str,
    category: &'a str,
}

#[derive(Serialize)]
struct StatusError<'a> {
    code: i64,
    title: &'a str,
    message: &'a str,
    error_data: Details<'a>,
    href: &'static str,
}

#[derive(Serialize)]
struct Details<'a> {
    details: &'a str,
}

impl World {
    /// Sends what the policy foresees for an accepted send; `failure`: nothing but a `failed` with that error.
    pub(super) fn statuses_of(
        &self,
        sent: &Sent<'_>,
        mut billing: Billing,
        kind: &str,
        failure: Option<GraphError>,
    ) {
        let failure = failure.or_else(|| {
            let code = self.faults.take_failure(sent.number.id(), sent.key)?;
            self.counters.faults_played.one();
            Some(GraphError::new(code, "scripted failure"))
        });
        let policy = self.status_policy();
        let delay = Duration::from_millis(policy.delay_ms);
        if let Some(error) = failure {
            return self.status(sent, &mut billing, Tick::Failed, Some(&error), delay);
        }
        let mut ticks = policy.ticks.clone();
        if kind == "reaction" {
            ticks.retain(|tick| *tick == Tick::Sent);
        }
        // Only a voice message can be played (§3.2).
        if kind != "audio" {
            ticks.retain(|tick| *tick != Tick::Played);
        }
        if !sent.number.reads(sent.key) {
            ticks.retain(|tick| !matches!(tick, Tick::Read | Tick::Played));
        }
        if self.faults.reorders(sent.number.id(), sent.key) {
            self.counters.faults_played.one();
            ticks.reverse();
        }
        for tick in ticks {
            self.status(sent, &mut billing, tick, None, delay);
        }
    }

    /// Sends one status of a message by its wamid, whatever came before.
    ///
    /// # Errors
    /// The wamid is not one of a send of this simulator.
    pub fn status_on_command(
        &self,
        message: &str,
        tick: Tick,
        code: Option<i64>,
    ) -> Result<(), Unknown> {
        let unknown = || Unknown::Message(message.to_owned());
        let id = wamid::read(message)
            .filter(|id| id.direction == Direction::FromBusiness)
            .ok_or_else(unknown)?;
        let number = self.number(&id.phone_number_id)?;
        let (opaque, mut billing) = number
            .with_chat(&id.customer, |chat| {
                let item = chat.item(message)?;
                Some((item.opaque.clone(), item.billing.clone()))
            })
            .unwrap_or_default();
        let error = (tick == Tick::Failed)
            .then(|| GraphError::new(code.unwrap_or(131000), "failed on command"));
        let sent = Sent {
            number: &number,
            key: &id.customer,
            wamid: message,
            opaque: opaque.as_deref(),
        };
        self.status(&sent, &mut billing, tick, error.as_ref(), Duration::ZERO);
        Ok(())
    }

    fn status(
        &self,
        sent: &Sent<'_>,
        billing: &mut Billing,
        tick: Tick,
        error: Option<&GraphError>,
        delay: Duration,
    ) {
        let identity = Identity::of(sent.key, sent.number.waba_id());
        let profile = sent.number.profile(sent.key);
        let failed = tick == Tick::Failed;
        let shows_phone = billing.by_phone || profile.shows_phone;
        let element = Element {
            id: sent.wamid,
            status: tick.word(),
            timestamp: (self.clock.now().millis() / 1000).to_string(),
            recipient_id: identity.wa_id.as_deref().filter(|_| shows_phone),
            // A `failed` of a send to a phone has no user id (§2.3).
            recipient_user_id: (!failed || !billing.by_phone).then_some(&*identity.user_id),
            biz_opaque_callback_data: sent.opaque,
            conversation: billing.conversation(sent, tick),
            pricing: billing.pricing(tick),
            errors: error.map(|error| [error.in_status()]),
        };
        let element = ascii_json(&element);
        let contact = (!failed).then(|| profile.contact(&identity, shows_phone));
        if matches!(tick, Tick::Delivered | Tick::Read) {
            billing.priced = true;
        }
        let priced = billing.priced;
        sent.number.change_chat(sent.key, |chat| {
            chat.tick(sent.wamid, tick, error.map(|error| error.code));
            if let Some(item) = chat.item_mut(sent.wamid) {
                item.billing.priced = priced;
            }
        });
        self.counters.statuses.one();
        let update = Update::new(sent.number, sent.key, Kind::Status, element, contact);
        self.dispatch_status(sent, update, delay);
    }

    fn dispatch_status(&self, sent: &Sent<'_>, update: Update, delay: Duration) {
        let fault = self.faults.take_status(sent.number.id(), sent.key);
        if fault.is_some() {
            self.counters.faults_played.one();
        }
        match fault {
            Some(WebhookFault::Drop) => self.counters.statuses_dropped.one(),
            Some(WebhookFault::LateMs(ms)) => {
                self.outlet
                    .dispatch_after(update, delay + Duration::from_millis(ms));
            }
            Some(WebhookFault::Times(times)) => {
                for _ in 0..times {
                    self.outlet.dispatch_after(update.clone(), delay);
                }
            }
            None => self.outlet.dispatch_after(update, delay),
        }
    }
}

impl Billing {
    fn conversation(&self, sent: &Sent<'_>, tick: Tick) -> Option<Conversation> {
        let until = self.free_until.filter(|_| tick != Tick::Failed)?;
        let expires = (tick == Tick::Sent).then(|| (until.millis() / 1000).to_string());
        Some(Conversation {
            id: format!("fep{}{}", until.millis(), sent.key.len()),
            expiration_timestamp: expires,
            origin: Origin {
                r#type: "referral_conversion",
            },
        })
    }

    /// On `sent` and on the first of `delivered` and `read` (§3.1).
    fn pricing(&self, tick: Tick) -> Option<Pricing<'_>> {
        let carries = match tick {
            Tick::Sent => true,
            Tick::Delivered | Tick::Read => !self.priced,
            _ => false,
        };
        if carries && self.free_until.is_some() {
            return Some(Pricing {
                billable: false,
                pricing_model: "PMP",
                r#type: "free_entry_point",
                category: "referral_conversion",
            });
        }
        let service = self.category == "service";
        carries.then_some(Pricing {
            billable: !service,
            pricing_model: "PMP",
            r#type: if service {
                "free_customer_service"
            } else {
                "regular"
            },
            category: &self.category,
        })
    }
}

impl GraphError {
    fn in_status(&self) -> StatusError<'_> {
        StatusError {
            code: self.code,
            title: &self.title,
            message: &self.title,
            error_data: Details {
                details: &self.details,
            },
            href: "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
        }
    }
}
