//! A send that is well-formed: judged by `rules`, shown on the phone, answered, followed by its statuses.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::chat::{Author, ChatItem, Tick};
use super::super::error::GraphError;
use super::super::identity::Identity;
use super::super::number::Number;
use super::super::status::{Billing, Sent};
use super::super::template::{Held, TemplateCategory};
use super::super::wamid::{self, Direction};
use super::super::world::World;
use super::content::{self, Content, Scope};
use super::{Edge, Granted};

/// "typing…" goes away after this long (§4.5).
const TYPING: Duration = Duration::from_secs(25);

impl World {
    /// Checks a send against every rule and delivers it.
    pub(super) fn accept(
        &self,
        number: &Number,
        edge: Edge,
        message: &Value,
    ) -> Result<Granted, GraphError> {
        let (given, key) = content::recipient(message, number.waba_id())?;
        let scope = Scope {
            world: self,
            phone_number_id: number.id(),
        };
        let content = self.content(edge, &scope, number.waba_id(), message)?;
        let by_phone = !message["to"].is_null();
        if key == number.spec().display_number {
            return Err(GraphError::new(131021, "Recipient and sender are the same"));
        }
        if content.template == Some(TemplateCategory::Authentication) && !by_phone {
            return Err(GraphError::new(131062, "Send to the phone number"));
        }
        self.number_may_send(number, &key, &content)?;
        let breach = self.hold_to_rules(number, &key, &content)?;
        let wamid = number.next_wamid(Direction::FromBusiness, &key);
        let billing = Billing {
            category: content.category(),
            by_phone,
            priced: false,
            free_until: self.free_entry(number, &key),
        };
        let fails = || self.fails_later(number, &key, &content, message);
        let failure = breach.clone().or_else(fails);
        let accepted = Accepted {
            number,
            key: &key,
            wamid: &wamid,
            message,
        };
        let paced = content.paced.filter(|_| failure.is_none());
        let kind = content.kind.clone();
        let status = status_word(&content, paced);
        self.show(
            &accepted,
            content,
            &billing,
            paced.is_some(),
            failure.is_some(),
        );
        match paced {
            Some(template) => self.hold_send(accepted.held(template, billing)),
            None => self.statuses_of(&accepted.sent(), billing, &kind, failure),
        }
        let identity = Identity::of(&key, number.waba_id());
        let body = answer(given, &identity, by_phone, &wamid, status);
        Ok(Granted::Sent {
            body,
            wamid,
            breach,
        })
    }

    fn free_entry(&self, number: &Number, key: &str) -> Option<crate::domain::Timestamp> {
        let now = self.clock.now();
        number.with_customer(key, |customer| customer.free_entry(now))
    }

    /// Puts the message on the customer's phone.
    fn show(
        &self,
        accepted: &Accepted<'_>,
        content: Content,
        billing: &Billing,
        held: bool,
        failed: bool,
    ) {
        let Accepted {
            number,
            key,
            wamid,
            message,
        } = *accepted;
        if content.kind == "reaction" && !failed {
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
            content: message[&content.kind].clone(),
            text: content.text,
            choices: content.choices,
            shown: content.shown,
            held,
            reply_to: message["context"]["message_id"].as_str().map(str::to_owned),
            opaque: message["biz_opaque_callback_data"]
                .as_str()
                .map(str::to_owned),
            billing: billing.clone(),
            ..ChatItem::new(
                wamid,
                Author::Business,
                content.kind,
                self.clock.now(),
                Tick::Accepted,
            )
        };
        number.append_and_answer_typing(key, item);
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

/// A send that has its id.
struct Accepted<'a> {
    number: &'a Number,
    key: &'a str,
    wamid: &'a str,
    message: &'a Value,
}

impl<'a> Accepted<'a> {
    fn opaque(&self) -> Option<&'a str> {
        self.message["biz_opaque_callback_data"].as_str()
    }

    fn sent(&self) -> Sent<'a> {
        Sent {
            number: self.number,
            key: self.key,
            wamid: self.wamid,
            opaque: self.opaque(),
        }
    }

    fn held(&self, template: u64, billing: Billing) -> Held {
        Held {
            template,
            phone_number_id: self.number.id().to_owned(),
            customer: self.key.to_owned(),
            wamid: self.wamid.to_owned(),
            opaque: self.opaque().map(str::to_owned),
            billing,
        }
    }
}

/// Only templates have one in the answer (§4.1).
fn status_word(content: &Content, paced: Option<u64>) -> Option<&'static str> {
    content.template.map(|_| match paced {
        Some(_) => "held_for_quality_assessment",
        None => "accepted",
    })
}

fn answer(
    given: &str,
    identity: &Identity,
    by_phone: bool,
    wamid: &str,
    status: Option<&'static str>,
) -> Value {
    let mut contact = json!({ "input": given });
    match &identity.wa_id {
        Some(wa_id) if by_phone => contact["wa_id"] = json!(wa_id),
        _ => contact["user_id"] = json!(identity.user_id),
    }
    let mut message = json!({ "id": wamid });
    if let Some(status) = status {
        message["message_status"] = json!(status);
    }
    json!({ "messaging_product": "whatsapp", "contacts": [contact], "messages": [message] })
}
