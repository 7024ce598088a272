//! What customers do on their phones, and the webhook elements that come of it (`whatsapp-cloud-api.md` §2).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::chat::{Author, Chat, ChatItem, Choice, ChoiceKind, Tick};
use super::identity::Identity;
use super::number::Number;
use super::status::Billing;
use super::wamid::Direction;
use super::webhook::{Kind, Update, ascii_json};
use super::world::{Unknown, World};
use crate::domain::Timestamp;

/// The customer-service window (§6.1).
const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// One thing that a customer does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Text(String),
    /// Taps a button or list row, by id or title, of the newest message that has any.
    Tap(String),
    Reaction {
        message_id: String,
        /// Left out or empty: the reaction is taken back.
        #[serde(default)]
        emoji: Option<String>,
    },
    Media {
        /// `image`, `video`, `audio`, `document`, `sticker`.
        kind: String,
        media_id: String,
        #[serde(default)]
        mime_type: Option<String>,
        #[serde(default)]
        caption: Option<String>,
        #[serde(default)]
        filename: Option<String>,
    },
    /// Any `messages[]` element; `from`, `id` and `timestamp` are added where they are missing.
    Raw(Map<String, Value>),
}

/// An action and its circumstances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomerMessage {
    #[serde(flatten)]
    pub action: Action,
    /// Quotes that message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Meta's timestamp, unix seconds; default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
}

impl From<Action> for CustomerMessage {
    fn from(action: Action) -> Self {
        Self {
            action,
            reply_to: None,
            timestamp: None,
        }
    }
}

/// An action as an element of `messages[]`, before it has an id.
struct Element {
    fields: Map<String, Value>,
    text: String,
    context: Option<String>,
}

impl World {
    /// The customer sends; the webhook is on its way when this returns the wamid.
    ///
    /// # Errors
    /// Number, customer or choice is unknown.
    pub fn customer_sends(
        &self,
        phone_number_id: &str,
        who: &str,
        message: CustomerMessage,
    ) -> Result<String, Unknown> {
        let (number, key) = self.chat_of(phone_number_id, who)?;
        let now = self.clock.now();
        let at = message.timestamp.map_or(now, Timestamp::from_secs);
        let element = number.with_chat(&key, |chat| message.action.element(chat))?;
        let context = message.reply_to.or_else(|| element.context.clone());
        let fields = self.complete(&number, &key, at, element.fields, context.as_deref());
        let kind = word(&fields, "type");
        let id = word(&fields, "id");
        if opens_window(&kind) {
            number.with_customer(&key, |customer| {
                customer.window_until = customer.window_until.max(at.plus(WINDOW));
            });
        }
        number.throughput.charge(now);
        let shown = ChatItem {
            id: id.clone(),
            author: Author::Customer,
            content: fields.get(&kind).cloned().unwrap_or_default(),
            kind,
            text: element.text,
            choices: Vec::new(),
            reply_to: context,
            reaction: None,
            at,
            tick: Tick::Delivered,
            error: None,
            opaque: None,
            billing: Billing::default(),
        };
        number.say(&key, shown);
        self.counters.customer_messages.one();
        self.announce(&number, &key, &fields);
        Ok(id)
    }

    /// A change of another webhook field, for instance `user_preferences`: `value` goes out as it is.
    ///
    /// # Errors
    /// The number is unknown.
    pub fn field_changes(
        &self,
        phone_number_id: &str,
        field: &str,
        value: &Value,
    ) -> Result<(), Unknown> {
        let number = self.number(phone_number_id)?;
        let kind = Kind::Field(field.to_owned());
        self.outlet
            .dispatch(Update::new(&number, field, kind, ascii_json(value), None));
        Ok(())
    }

    /// Adds what every element has: sender, id, timestamp, context.
    fn complete(
        &self,
        number: &Number,
        key: &str,
        at: Timestamp,
        mut fields: Map<String, Value>,
        context: Option<&str>,
    ) -> Map<String, Value> {
        let identity = Identity::of(key, number.waba_id());
        let shows_phone = number.profile(key).shows_phone;
        let mut add = |name: &str, value: Value| {
            fields.entry(name).or_insert(value);
        };
        if let Some(wa_id) = identity.wa_id.filter(|_| shows_phone) {
            add("from", json!(wa_id));
        }
        add("from_user_id", json!(identity.user_id));
        add("id", json!(number.next_wamid(Direction::FromCustomer, key)));
        add("timestamp", json!((at.millis() / 1000).to_string()));
        if let Some(id) = context {
            add(
                "context",
                json!({ "from": number.spec().display_number, "id": id }),
            );
        }
        fields
    }

    fn announce(&self, number: &Number, key: &str, fields: &Map<String, Value>) {
        let identity = Identity::of(key, number.waba_id());
        let profile = number.profile(key);
        // A system message has no contacts (§2.2).
        let contact = (fields.get("type") != Some(&json!("system")))
            .then(|| profile.contact(&identity, profile.shows_phone));
        let update = Update::new(number, key, Kind::Message, ascii_json(fields), contact);
        self.outlet.dispatch(update);
    }
}

impl Number {
    /// The customer's own message appears on the phone.
    fn say(&self, key: &str, item: ChatItem) {
        if !self.keeps_chats() {
            return;
        }
        if item.kind == "reaction" {
            let on = item.content["message_id"].as_str().unwrap_or_default();
            let emoji = item.content["emoji"].as_str().map(str::to_owned);
            self.change_chat(key, |chat| {
                if let Some(target) = chat.item_mut(on) {
                    target.reaction = emoji.filter(|emoji| !emoji.is_empty());
                }
            });
        }
        self.append(key, item);
    }
}

impl Action {
    fn element(self, chat: &Chat) -> Result<Element, Unknown> {
        let element = match self {
            Self::Text(body) => Element::of("text", json!({ "body": body }), body),
            Self::Tap(wanted) => match chat.choice(&wanted) {
                Some((item, choice)) => tap(item, choice),
                None => return Err(Unknown::Choice(wanted)),
            },
            Self::Reaction { message_id, emoji } => {
                let mut reaction = json!({ "message_id": message_id });
                if let Some(emoji) = &emoji {
                    reaction["emoji"] = json!(emoji);
                }
                Element::of("reaction", reaction, emoji.unwrap_or_default())
            }
            Self::Media {
                kind,
                media_id,
                mime_type,
                caption,
                filename,
            } => media(&kind, &media_id, mime_type, caption, filename),
            Self::Raw(fields) => Element {
                text: String::new(),
                context: None,
                fields,
            },
        };
        Ok(element)
    }
}

impl Element {
    fn of(kind: &str, object: Value, text: String) -> Self {
        let mut fields = Map::new();
        fields.insert("type".to_owned(), json!(kind));
        fields.insert(kind.to_owned(), object);
        Self {
            fields,
            text,
            context: None,
        }
    }
}

fn tap(item: &ChatItem, choice: &Choice) -> Element {
    let title = choice.title.clone();
    let element = match choice.kind {
        ChoiceKind::TemplateButton => Element::of(
            "button",
            json!({ "payload": choice.id, "text": title }),
            title,
        ),
        ChoiceKind::Button => Element::of(
            "interactive",
            json!({ "type": "button_reply", "button_reply": { "id": choice.id, "title": title } }),
            title,
        ),
        ChoiceKind::Row => {
            let mut reply = json!({ "id": choice.id, "title": title });
            if let Some(description) = &choice.description {
                reply["description"] = json!(description);
            }
            Element::of(
                "interactive",
                json!({ "type": "list_reply", "list_reply": reply }),
                title,
            )
        }
    };
    Element {
        context: Some(item.id.clone()),
        ..element
    }
}

fn media(
    kind: &str,
    media_id: &str,
    mime_type: Option<String>,
    caption: Option<String>,
    filename: Option<String>,
) -> Element {
    let usual = match kind {
        "image" => "image/jpeg",
        "video" => "video/mp4",
        "audio" => "audio/ogg; codecs=opus",
        "sticker" => "image/webp",
        _ => "application/pdf",
    };
    let mut object = json!({
        "id": media_id,
        "mime_type": mime_type.as_deref().unwrap_or(usual),
        "sha256": "gV8Zt2dWbQ0mVqv0WbM0vXk1m2nR3sT4uV5wX6yZ7a8=",
    });
    if kind == "audio" {
        object["voice"] = json!(true);
    }
    if let Some(filename) = filename {
        object["filename"] = json!(filename);
    }
    if let Some(caption) = &caption {
        object["caption"] = json!(caption);
    }
    Element::of(kind, object, caption.unwrap_or_default())
}

fn word(fields: &Map<String, Value>, name: &str) -> String {
    let value = fields.get(name).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

/// Which inbound types open or refresh the window (§2.7; the strict reading where it is unverified).
fn opens_window(kind: &str) -> bool {
    !matches!(kind, "reaction" | "revoke" | "edit" | "system" | "")
}
