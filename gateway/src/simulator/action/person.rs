//! What people change about themselves: their number and with it their user id, and whether they want marketing
//! (`whatsapp-cloud-api.md` §1.5, §2.2, §2.3).

use serde_json::{Map, Value, json};

use super::super::chat::{Author, ChatItem, Tick};
use super::super::identity::{Identity, chat_key};
use super::super::number::Number;
use super::super::webhook::{Kind, Update, ascii_json};
use super::super::world::{Unknown, World};
use super::complete;

impl World {
    /// Stops or resumes marketing in WhatsApp itself. No message: the answer is the field's name.
    pub(super) fn chooses_marketing(&self, number: &Number, key: &str, stop: bool) -> String {
        let mut profile = number.profile(key);
        profile.stopped_marketing = stop;
        let identity = Identity::of(key, number.waba_id());
        let shows_phone = profile.shows_phone;
        let contact = profile.contact(&identity, shows_phone);
        number.set_profile(key, profile);
        let word = if stop { "stop" } else { "resume" };
        let mut choice = json!({
            "user_id": identity.user_id,
            "detail": format!("User requested to {word} marketing messages"),
            "category": "marketing_messages",
            "value": word,
            // An integer here, text in messages (§1.5).
            "timestamp": self.clock.now().millis() / 1000,
        });
        if let Some(wa_id) = identity.wa_id.filter(|_| shows_phone) {
            choice["wa_id"] = json!(wa_id);
        }
        let contact: Value = serde_json::from_str(&contact).unwrap_or_default();
        self.person_field(number, key, "user_preferences", &contact, choice);
        "user_preferences".to_owned()
    }

    /// From the old number comes a system message; the person goes on under the new one, with another user id, and
    /// without an open window (§2.3).
    pub(super) fn changes_number(
        &self,
        number: &Number,
        key: &str,
        wa_id: &str,
    ) -> Result<String, Unknown> {
        let new_key =
            chat_key(wa_id, number.waba_id()).ok_or_else(|| Unknown::Customer(wa_id.to_owned()))?;
        let profile = number.profile(key);
        let (old, new) = (
            Identity::of(key, number.waba_id()),
            Identity::of(&new_key, number.waba_id()),
        );
        number.set_profile(&new_key, profile.clone());
        let body = format!(
            "{} changed from {} to {}",
            profile.name,
            shown(&old),
            shown(&new)
        );
        let mut system =
            json!({ "type": "user_changed_number", "body": body, "user_id": new.user_id });
        if let Some(wa_id) = new.wa_id.as_deref().filter(|_| profile.shows_phone) {
            system["wa_id"] = json!(wa_id);
        }
        let mut fields = Map::new();
        fields.insert("type".to_owned(), json!("system"));
        fields.insert("system".to_owned(), system.clone());
        let now = self.clock.now();
        let fields = complete(number, key, now, fields, None);
        let id = super::word(&fields, "id");
        let item = ChatItem {
            content: system,
            text: body,
            ..ChatItem::new(
                &id,
                Author::Customer,
                "system".to_owned(),
                now,
                Tick::Delivered,
            )
        };
        number.say(key, item);
        self.announce(number, key, &fields);
        let mut change = json!({
            "detail": "user id changed",
            "user_id": { "previous": old.user_id, "current": new.user_id },
            "timestamp": (now.millis() / 1000).to_string(),
        });
        if let Some(wa_id) = new.wa_id.filter(|_| profile.shows_phone) {
            change["wa_id"] = json!(wa_id);
        }
        let contact = json!({ "user_id": new.user_id });
        self.person_field(number, &new_key, "user_id_update", &contact, change);
        Ok(id)
    }

    /// A field whose value has metadata, a contact and one element under the field's own name.
    fn person_field(
        &self,
        number: &Number,
        key: &str,
        field: &str,
        contact: &Value,
        element: Value,
    ) {
        let metadata: Value = serde_json::from_str(&number.metadata).unwrap_or_default();
        let value = json!({
            "messaging_product": "whatsapp",
            "metadata": metadata,
            "contacts": [contact],
            field: [element],
        });
        let kind = Kind::Field(field.to_owned());
        self.outlet
            .dispatch(Update::new(number, key, kind, ascii_json(&value), None));
    }
}

fn shown(identity: &Identity) -> String {
    match &identity.wa_id {
        Some(wa_id) => format!("+{wa_id}"),
        None => identity.user_id.clone(),
    }
}
