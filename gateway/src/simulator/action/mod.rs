//! What customers do on their phones, and the webhook elements that come of it (`whatsapp-cloud-api.md` §2).
//!
//! `element` makes the `messages[]` element of each action, `effect` what it changes on the phone and beside it.

mod effect;
mod element;
mod person;

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::chat::{Author, ChatItem, Tick};
use super::identity::Identity;
use super::media::{NewMedium, Origin};
use super::number::Number;
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
    /// Taps one of a certain message.
    TapOn {
        message_id: String,
        choice: String,
    },
    Reaction {
        message_id: String,
        /// Left out or empty: the reaction is taken back.
        #[serde(default)]
        emoji: Option<String>,
    },
    /// A medium by id: a stored one is described as it is, an unknown one as the kind usually is.
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
    Location {
        latitude: f64,
        longitude: f64,
        #[serde(default)]
        name: Option<String>,
        #[serde(default)]
        address: Option<String>,
    },
    /// Cards in Meta's form.
    Contacts(Vec<Value>),
    /// The own card, as the answer to a request for contact information (§2.3).
    ShareContact {
        message_id: String,
    },
    Order {
        #[serde(default)]
        catalog_id: String,
        #[serde(default)]
        text: String,
        product_items: Vec<Value>,
    },
    /// The answer to a flow or a form; `response` goes out as a JSON string.
    FlowReply {
        #[serde(default)]
        message_id: Option<String>,
        #[serde(default = "flow")]
        name: String,
        #[serde(default = "sent")]
        body: String,
        response: Map<String, Value>,
    },
    CallPermission {
        message_id: String,
        accept: bool,
    },
    /// Another text for a message of one's own.
    Edit {
        message_id: String,
        text: String,
    },
    /// Deletes a message of one's own for everyone.
    Revoke {
        message_id: String,
    },
    /// The person has another phone number from now on (§2.3): a system message under the old one, and a new user id.
    ChangeNumber {
        wa_id: String,
    },
    /// Something that Cloud API does not carry, like a poll.
    Unsupported {
        kind: String,
    },
    /// The chat is opened for the first time (§2.2).
    RequestWelcome {},
    /// Marketing is stopped or resumed in WhatsApp itself (§1.5).
    Marketing {
        stop: bool,
    },
    /// Any `messages[]` element; `from`, `id` and `timestamp` are added where they are missing.
    Raw(Map<String, Value>),
}

fn flow() -> String {
    "flow".to_owned()
}

fn sent() -> String {
    "Sent".to_owned()
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
    /// The ad or post that led here (§2.5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<Value>,
    /// The product that was asked about (§2.4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referred_product: Option<Value>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forwarded: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frequently_forwarded: bool,
}

impl From<Action> for CustomerMessage {
    fn from(action: Action) -> Self {
        Self {
            action,
            reply_to: None,
            timestamp: None,
            referral: None,
            referred_product: None,
            forwarded: false,
            frequently_forwarded: false,
        }
    }
}

/// A file that a customer sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerFile {
    /// `image`, `video`, `audio`, `document`, `sticker`.
    pub kind: String,
    pub mime_type: String,
    pub filename: Option<String>,
    pub caption: Option<String>,
    pub bytes: Bytes,
}

impl World {
    /// The customer sends; the webhook is on its way when this returns the wamid.
    ///
    /// # Errors
    /// Number, customer, message or choice is unknown.
    pub fn customer_sends(
        &self,
        phone_number_id: &str,
        who: &str,
        message: CustomerMessage,
    ) -> Result<String, Unknown> {
        let (number, key) = self.chat_of(phone_number_id, who)?;
        match &message.action {
            Action::Marketing { stop } => return Ok(self.chooses_marketing(&number, &key, *stop)),
            Action::ChangeNumber { wa_id } => return self.changes_number(&number, &key, wa_id),
            _ => {}
        }
        let now = self.clock.now();
        let at = message.timestamp.map_or(now, Timestamp::from_secs);
        let element = self.element(&number, &key, &message)?;
        let context = message.reply_to.as_deref().or(element.context.as_deref());
        let fields = complete(&number, &key, at, element.fields, context);
        let fields = circumstances(fields, &message);
        let kind = word(&fields, "type");
        let id = word(&fields, "id");
        self.has_written(&number, &key, &kind, at, message.referral.is_some());
        number.throughput.charge(now);
        let shown = ChatItem {
            content: fields.get(&kind).cloned().unwrap_or_default(),
            text: element.text,
            reply_to: context.map(str::to_owned),
            ..ChatItem::new(&id, Author::Customer, kind, at, Tick::Delivered)
        };
        number.say(&key, shown);
        self.counters.customer_messages.one();
        self.announce(&number, &key, &fields);
        Ok(id)
    }

    /// The customer sends a file: it is stored, and its id and URL are those of the webhook.
    ///
    /// # Errors
    /// Number or customer is unknown.
    pub fn customer_sends_file(
        &self,
        phone_number_id: &str,
        who: &str,
        file: CustomerFile,
    ) -> Result<String, Unknown> {
        let (number, _) = self.chat_of(phone_number_id, who)?;
        let new = NewMedium {
            phone_number_id: number.id().to_owned(),
            mime_type: file.mime_type,
            bytes: file.bytes,
            origin: Origin::Customer,
        };
        let stored = self.media.put(new, self.clock.now());
        let action = Action::Media {
            filename: file.filename.filter(|_| file.kind == "document"),
            kind: file.kind,
            media_id: stored.id.clone(),
            mime_type: None,
            caption: file.caption,
        };
        self.customer_sends(phone_number_id, who, action.into())
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

/// Adds what every element has: sender, id, timestamp, context.
fn complete(
    number: &Number,
    key: &str,
    at: Timestamp,
    mut fields: Map<String, Value>,
    context: Option<&str>,
) -> Map<String, Value> {
    let identity = Identity::of(key, number.waba_id());
    let profile = number.profile(key);
    let mut add = |name: &str, value: Value| {
        fields.entry(name).or_insert(value);
    };
    if let Some(wa_id) = identity.wa_id.filter(|_| profile.shows_phone) {
        add("from", json!(wa_id));
    }
    add("from_user_id", json!(identity.user_id));
    if let Some(parent) = profile.parent_user_id {
        add("from_parent_user_id", json!(parent));
    }
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

/// Where the message comes from beside its sender (§2.4, §2.5). What is forwarded quotes nothing.
fn circumstances(mut fields: Map<String, Value>, message: &CustomerMessage) -> Map<String, Value> {
    if let Some(referral) = &message.referral {
        fields.insert("referral".to_owned(), referral.clone());
    }
    if message.forwarded || message.frequently_forwarded {
        let word = if message.frequently_forwarded {
            "frequently_forwarded"
        } else {
            "forwarded"
        };
        fields.insert("context".to_owned(), json!({ word: true }));
    }
    if let Some(product) = &message.referred_product {
        let context = fields.entry("context").or_insert_with(|| json!({}));
        context["referred_product"] = product.clone();
    }
    fields
}

fn word(fields: &Map<String, Value>, name: &str) -> String {
    let value = fields.get(name).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}
