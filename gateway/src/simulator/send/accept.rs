//! The rules that depend on who is written to (`whatsapp-cloud-api.md` §6.1, §6.7), and what acceptance causes.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::chat::{Author, ChatItem, Tick};
use super::super::error::GraphError;
use super::super::identity::Identity;
use super::super::number::Number;
use super::super::rate::{self, TooFast};
use super::super::status::{Billing, Sent};
use super::super::template::TemplateCategory;
use super::super::wamid::{self, Direction};
use super::super::world::World;
use super::Granted;
use super::content::{self, Content};
use crate::domain::Timestamp;

/// "typing…" goes away after this long (§4.5).
const TYPING: Duration = Duration::from_secs(25);

impl World {
    /// Checks a send against every rule and delivers it.
    pub(super) fn accept(&self, number: &Number, message: &Value) -> Result<Granted, GraphError> {
        let (given, key) = content::recipient(message, number.waba_id())?;
        let content = self.content(number.waba_id(), message)?;
        let by_phone = !message["to"].is_null();
        if key == number.spec().display_number {
            return Err(GraphError::new(131021, "Recipient and sender are the same"));
        }
        if content.template == Some(TemplateCategory::Authentication) && !by_phone {
            return Err(GraphError::new(131062, "Send to the phone number"));
        }
        let breach = self.hold_to_rules(number, &key, &content)?;
        let wamid = number.next_wamid(Direction::FromBusiness, &key);
        let opaque = message["biz_opaque_callback_data"].as_str();
        let billing = Billing {
            category: content.category(),
            by_phone,
            priced: false,
        };
        let identity = Identity::of(&key, number.waba_id());
        let kind = content.kind.clone();
        let is_template = content.template.is_some();
        let failure = breach.clone().or_else(|| {
            let absent = !number.profile(&key).reachable;
            absent.then(|| GraphError::new(131026, "Message undeliverable"))
        });
        if failure.is_none() || number.keeps_chats() {
            self.show(number, &key, &wamid, content, message, &billing);
        }
        self.counters.accepted.one();
        let sent = Sent {
            number,
            key: &key,
            wamid: &wamid,
            opaque,
        };
        self.statuses_of(&sent, billing, &kind, failure);
        let body = answer(given, &identity, by_phone, &wamid, is_template);
        Ok(Granted::Sent {
            body,
            wamid,
            breach,
        })
    }

    /// Window, pair and throughput. Only a send that passes all of them uses the rates up. `Some`: accepted now,
    /// refused by a status later.
    fn hold_to_rules(
        &self,
        number: &Number,
        key: &str,
        content: &Content,
    ) -> Result<Option<GraphError>, GraphError> {
        let now = self.clock.now();
        let tolerance = Duration::from_millis(self.checks.rate_tolerance_ms);
        number.with_customer(key, |customer| {
            let mut late_refusal = None;
            let closed = content.template.is_none() && customer.window_until <= now;
            if self.checks.window && closed {
                let error = window_closed(customer.window_until);
                if !self.checks.window_refusal_by_status {
                    return Err(error);
                }
                late_refusal = Some(error);
            }
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

    /// Puts the message on the customer's phone.
    fn show(
        &self,
        number: &Number,
        key: &str,
        wamid: &str,
        content: Content,
        message: &Value,
        billing: &Billing,
    ) {
        if content.kind == "reaction" {
            let id = message["reaction"]["message_id"]
                .as_str()
                .unwrap_or_default();
            let emoji = Some(content.text.clone()).filter(|emoji| !emoji.is_empty());
            number.change_chat(key, |chat| {
                if let Some(item) = chat.item_mut(id) {
                    item.reaction = emoji;
                }
            });
        }
        if !number.keeps_chats() {
            return self.counters.chat_items_dropped.one();
        }
        let item = ChatItem {
            id: wamid.to_owned(),
            author: Author::Business,
            content: message[&content.kind].clone(),
            kind: content.kind,
            text: content.text,
            choices: content.choices,
            reply_to: message["context"]["message_id"].as_str().map(str::to_owned),
            reaction: None,
            at: self.clock.now(),
            tick: Tick::Accepted,
            error: None,
            opaque: message["biz_opaque_callback_data"]
                .as_str()
                .map(str::to_owned),
            billing: billing.clone(),
        };
        number.append(key, item);
    }

    /// Blue ticks on the customer's phone, and "typing…" when asked for.
    pub(super) fn read_by_business(
        &self,
        number: &Number,
        id: &str,
        typing: bool,
    ) -> Result<(), GraphError> {
        let theirs = wamid::read(id).filter(|read| {
            read.direction == Direction::FromCustomer && read.phone_number_id == number.id()
        });
        let Some(theirs) = theirs else {
            if self.checks.message_ids {
                return Err(GraphError::invalid(
                    "message_id",
                    "is not a message of a customer",
                ));
            }
            return Ok(());
        };
        let typing_until = typing.then(|| self.clock.now().plus(TYPING));
        number.change_chat(&theirs.customer, |chat| chat.mark_read(id, typing_until));
        Ok(())
    }
}

fn answer(
    given: &str,
    identity: &Identity,
    by_phone: bool,
    wamid: &str,
    is_template: bool,
) -> Value {
    let mut contact = json!({ "input": given });
    match &identity.wa_id {
        Some(wa_id) if by_phone => contact["wa_id"] = json!(wa_id),
        _ => contact["user_id"] = json!(identity.user_id),
    }
    let mut message = json!({ "id": wamid });
    if is_template {
        message["message_status"] = json!("accepted");
    }
    json!({ "messaging_product": "whatsapp", "contacts": [contact], "messages": [message] })
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
