//! The `messages[]` element of each action (`whatsapp-cloud-api.md` §2.2), before it has a sender and an id.

use serde_json::{Map, Value, json};

use super::super::chat::{Author, Chat, ChatItem, Choice, ChoiceKind};
use super::super::media::Origin;
use super::super::number::Number;
use super::super::world::{Unknown, World};
use super::{Action, CustomerMessage};

/// An action as an element of `messages[]`, before it has an id.
pub(super) struct Element {
    pub fields: Map<String, Value>,
    /// What there is to read on the phone.
    pub text: String,
    pub context: Option<String>,
}

impl Element {
    fn of(kind: &str, object: Value, text: impl Into<String>) -> Self {
        let mut fields = Map::new();
        fields.insert("type".to_owned(), json!(kind));
        fields.insert(kind.to_owned(), object);
        Self {
            fields,
            text: text.into(),
            context: None,
        }
    }

    fn answering(self, message_id: &str) -> Self {
        Self {
            context: Some(message_id.to_owned()),
            ..self
        }
    }
}

impl World {
    pub(super) fn element(
        &self,
        number: &Number,
        key: &str,
        message: &CustomerMessage,
    ) -> Result<Element, Unknown> {
        Ok(match &message.action {
            Action::Text(body) => Element::of("text", json!({ "body": body }), body),
            Action::Tap(wanted) => number.with_chat(key, |chat| tap_newest(chat, wanted))?,
            Action::TapOn { message_id, choice } => {
                number.with_chat(key, |chat| tap_on(chat, message_id, choice))?
            }
            Action::Reaction { message_id, emoji } => reaction(message_id, emoji.as_deref()),
            Action::Media { kind, .. } => self.medium(kind, &message.action),
            Action::Location {
                latitude,
                longitude,
                name,
                address,
            } => {
                let mut place = json!({ "latitude": latitude, "longitude": longitude });
                put(&mut place, "name", name.as_deref());
                put(&mut place, "address", address.as_deref());
                Element::of("location", place, name.as_deref().unwrap_or_default())
            }
            Action::Contacts(cards) => Element::of("contacts", json!(cards), ""),
            Action::ShareContact { message_id } => own_card(number, key).answering(message_id),
            Action::Order {
                catalog_id,
                text,
                product_items,
            } => {
                let order = json!({ "catalog_id": catalog_id, "text": text, "product_items": product_items });
                Element::of("order", order, text)
            }
            Action::FlowReply {
                message_id,
                name,
                body,
                response,
            } => {
                let response = Value::Object(response.clone()).to_string();
                let reply = json!({ "name": name, "body": body, "response_json": response });
                let object = json!({ "type": "nfm_reply", "nfm_reply": reply });
                Element {
                    context: message_id.clone(),
                    ..Element::of("interactive", object, body)
                }
            }
            Action::CallPermission { message_id, accept } => {
                self.call_permission(*accept).answering(message_id)
            }
            Action::Edit { message_id, text } => {
                number.with_chat(key, |chat| own_item(chat, message_id).map(drop))?;
                let content = json!({ "type": "text", "text": { "body": text } });
                Element::of(
                    "edit",
                    json!({ "original_message_id": message_id, "message": content }),
                    text,
                )
            }
            Action::Revoke { message_id } => {
                number.with_chat(key, |chat| own_item(chat, message_id).map(drop))?;
                Element::of("revoke", json!({ "original_message_id": message_id }), "")
            }
            Action::Unsupported { kind } => unsupported(kind),
            Action::RequestWelcome {} => {
                let mut fields = Map::new();
                fields.insert("type".to_owned(), json!("request_welcome"));
                Element {
                    fields,
                    text: String::new(),
                    context: None,
                }
            }
            Action::Raw(fields) => Element {
                fields: fields.clone(),
                text: String::new(),
                context: None,
            },
            // These two are no messages: `customer_sends` has done them already.
            Action::Marketing { .. } | Action::ChangeNumber { .. } => unsupported("action"),
        })
    }

    /// A stored medium as it is; an id that is not stored as media of the kind usually are.
    fn medium(&self, kind: &str, action: &Action) -> Element {
        let Action::Media {
            media_id,
            mime_type,
            caption,
            filename,
            ..
        } = action
        else {
            return unsupported(kind);
        };
        let stored = self.media.get(media_id, self.clock.now());
        let stored = stored.filter(|medium| medium.origin == Origin::Customer);
        let mut object = match &stored {
            Some(medium) => self.inbound_medium(medium),
            None => json!({
                "id": media_id,
                "mime_type": usual_type(kind),
                "sha256": "gV8Zt2dWbQ0mVqv0WbM0vXk1m2nR3sT4uV5wX6yZ7a8=",
            }),
        };
        put(&mut object, "mime_type", mime_type.as_deref());
        match kind {
            "audio" => object["voice"] = json!(true),
            "sticker" => object["animated"] = json!(false),
            _ => {}
        }
        put(&mut object, "filename", filename.as_deref());
        put(&mut object, "caption", caption.as_deref());
        Element::of(kind, object, caption.as_deref().unwrap_or_default())
    }

    fn call_permission(&self, accept: bool) -> Element {
        let expires = self.clock.now().millis() / 1000 + 7 * 24 * 60 * 60;
        let mut reply = json!({ "response": "reject", "is_permanent": false, "response_source": "user_action" });
        if accept {
            reply["response"] = json!("accept");
            reply["expiration_timestamp"] = json!(expires.to_string());
        }
        let object = json!({ "type": "call_permission_reply", "call_permission_reply": reply });
        Element::of(
            "interactive",
            object,
            reply["response"].as_str().unwrap_or_default(),
        )
    }
}

fn put(object: &mut Value, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        object[name] = json!(value);
    }
}

fn usual_type(kind: &str) -> &'static str {
    match kind {
        "image" => "image/jpeg",
        "video" => "video/mp4",
        "audio" => "audio/ogg; codecs=opus",
        "sticker" => "image/webp",
        _ => "application/pdf",
    }
}

fn reaction(message_id: &str, emoji: Option<&str>) -> Element {
    let mut reaction = json!({ "message_id": message_id });
    put(&mut reaction, "emoji", emoji);
    Element::of("reaction", reaction, emoji.unwrap_or_default())
}

fn unsupported(kind: &str) -> Element {
    let mut element = Element::of("unsupported", json!({ "type": kind }), "");
    let error = json!({
        "code": 131051,
        "title": "Message type unknown",
        "message": "Message type unknown",
        "error_data": { "details": "Message type is currently not supported." },
    });
    element.fields.insert("errors".to_owned(), json!([error]));
    element
}

/// Only what one wrote oneself and has not deleted.
fn own_item<'a>(chat: &'a Chat, id: &str) -> Result<&'a ChatItem, Unknown> {
    let item = chat
        .item(id)
        .filter(|item| item.author == Author::Customer && !item.revoked);
    item.ok_or_else(|| Unknown::Message(id.to_owned()))
}

fn tap_newest(chat: &Chat, wanted: &str) -> Result<Element, Unknown> {
    let found = chat.choice(wanted).map(|(item, choice)| tap(item, choice));
    found.ok_or_else(|| Unknown::Choice(wanted.to_owned()))
}

fn tap_on(chat: &Chat, id: &str, wanted: &str) -> Result<Element, Unknown> {
    let item = chat
        .item(id)
        .ok_or_else(|| Unknown::Message(id.to_owned()))?;
    let choice = item
        .choices
        .iter()
        .find(|choice| choice.id == wanted || choice.title == wanted);
    let choice = choice.ok_or_else(|| Unknown::Choice(wanted.to_owned()))?;
    Ok(tap(item, choice))
}

fn tap(item: &ChatItem, choice: &Choice) -> Element {
    let title = &choice.title;
    let element = match choice.kind {
        ChoiceKind::TemplateButton => Element::of(
            "button",
            json!({ "payload": choice.id, "text": title }),
            title,
        ),
        ChoiceKind::Button => {
            let reply = json!({ "id": choice.id, "title": title });
            Element::of(
                "interactive",
                json!({ "type": "button_reply", "button_reply": reply }),
                title,
            )
        }
        ChoiceKind::Row => {
            let mut reply = json!({ "id": choice.id, "title": title });
            put(&mut reply, "description", choice.description.as_deref());
            Element::of(
                "interactive",
                json!({ "type": "list_reply", "list_reply": reply }),
                title,
            )
        }
    };
    element.answering(&item.id)
}

/// The own card. How the 2026 payloads name the vCard and the mark of its origin is not documented (§2.2): a guess.
fn own_card(number: &Number, key: &str) -> Element {
    let name = number.profile(key).name;
    let vcard = format!("BEGIN:VCARD\nVERSION:3.0\nFN:{name}\nTEL;waid={key}:+{key}\nEND:VCARD");
    let card = json!({
        "name": { "formatted_name": name, "first_name": name },
        "phones": [{ "phone": format!("+{key}"), "wa_id": key, "type": "CELL" }],
        "vcard": vcard,
        "origin": "contact_request",
    });
    Element::of("contacts", json!([card]), "")
}
