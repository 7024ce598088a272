//! The full split: every entry, change, message, status and error of a body becomes an item; none is lost.
//!
//! Meta batches up to 1,000 updates of several tenants in one POST (facts §1.2) and adds fields and types without
//! notice (§1.4): whatever is not understood at some level is kept, raw, as an `Other` of that level.

use serde_json::value::RawValue;

use super::NotJson;
use super::canonical::canonical;
use super::item::{Item, ItemKind};
use super::person::{Contact, contacts};
use super::{account, identity, message, notice, preference, status};
use crate::domain::Timestamp;
use crate::graph::json::{Object, array};

/// Keys of a `value` that describe its elements and are none themselves.
const ENVELOPE: [&str; 3] = ["messaging_product", "metadata", "contacts"];

/// Keys of a `value` whose array is a list of events of their own (facts §1.5, §11.2).
const LISTS: [&str; 11] = [
    "messages",
    "statuses",
    "errors",
    "calls",
    "message_echoes",
    "state_sync",
    "history",
    "groups",
    "user_preferences",
    "user_id_update",
    "automatic_events",
];

/// Items that a body may have. Meta's have up to about 1,000 (facts §1.2); what lies beyond this is one item, kept raw, so
/// that no body of the size that is taken costs more than a few times its size.
const MOST: usize = 50_000;

const STANDBY: &str = "standby";
pub(super) const HANDOVERS: &str = "messaging_handovers";

/// Splits a body. Order is Meta's. Bytes that are not UTF-8 are replaced rather than refused.
pub fn read(body: &[u8]) -> Result<Vec<Item>, NotJson> {
    let text = String::from_utf8_lossy(body);
    let raw: &RawValue = serde_json::from_str(&text).map_err(|_| NotJson)?;
    let mut items = Vec::with_capacity(1);
    let entries = Object::parse(raw.get()).and_then(|body| array(body.get("entry")?));
    match entries {
        Some(entries) => entries
            .iter()
            .for_each(|entry| read_entry(entry, &mut items)),
        None => items.push(Place::default().unread("body", raw)),
    }
    if items.len() > MOST {
        items.truncate(MOST);
        items.push(Place::default().unread("body_rest", raw));
    }
    Ok(items)
}

fn read_entry(raw: &RawValue, items: &mut Vec<Item>) {
    if items.len() > MOST {
        return;
    }
    let entry = Object::parse(raw.get()).unwrap_or_default();
    let mut place = Place {
        entry_id: entry.string("id").unwrap_or_default(),
        time: entry.time("time"),
        ..Place::default()
    };
    match entry.get("changes").and_then(array) {
        Some(changes) => changes
            .iter()
            .for_each(|change| read_change(&mut place, change, items)),
        None => items.push(place.unread("entry", raw)),
    }
}

fn read_change(place: &mut Place, raw: &RawValue, items: &mut Vec<Item>) {
    if items.len() > MOST {
        return;
    }
    place.phone_number_id = None;
    let change = Object::parse(raw.get()).unwrap_or_default();
    match (change.string("field"), change.get("value")) {
        (Some(field), Some(value)) => {
            place.field = field;
            read_value(place, value, items);
        }
        _ => items.push(place.unread("change", raw)),
    }
}

/// Emits each element of each list in the value, and then whatever else stands in it as one item.
fn read_value(place: &mut Place, raw: &RawValue, items: &mut Vec<Item>) {
    let value = Object::parse(raw.get()).unwrap_or_default();
    place.phone_number_id = number_of(&place.field, &value);
    // Copies have their lists one level deeper (facts §1.5).
    let copies = (place.field == STANDBY)
        .then(|| value.object(STANDBY))
        .flatten();
    // Such a value is one thing, also when it has a list in it.
    if let Some(news) = account::news(&place.field, &value) {
        let mut item = place.whole_value(&value, raw);
        item.kind = ItemKind::Account(Box::new(news));
        items.push(item);
        return;
    }
    let before = items.len();
    let mut rest = Vec::new();
    if let Some(copies) = &copies {
        read_lists(place, copies, items, &mut rest);
    }
    let outer = value
        .fields()
        .filter(|(key, _)| copies.is_none() || *key != STANDBY);
    read_fields(
        place,
        outer,
        &contacts(&value.array("contacts")),
        items,
        &mut rest,
    );
    if items.len() == before {
        items.push(place.whole_value(&value, raw));
    } else if !rest.is_empty() {
        items.push(place.other(place.what("rest"), &object_of(&rest), None));
    }
}

fn read_lists<'a>(
    place: &Place,
    value: &'a Object<'a>,
    items: &mut Vec<Item>,
    rest: &mut Vec<(&'a str, &'a RawValue)>,
) {
    let people = contacts(&value.array("contacts"));
    read_fields(place, value.fields(), &people, items, rest);
}

fn read_fields<'a>(
    place: &Place,
    fields: impl Iterator<Item = (&'a str, &'a RawValue)>,
    people: &[Contact],
    items: &mut Vec<Item>,
    rest: &mut Vec<(&'a str, &'a RawValue)>,
) {
    for (key, raw) in fields.filter(|(key, raw)| !ENVELOPE.contains(key) && raw.get() != "null") {
        match LISTS.contains(&key).then(|| array(raw)).flatten() {
            Some(list) => {
                // One more than there may be says that there are more.
                let room = (MOST + 1).saturating_sub(items.len());
                let some = list.iter().take(room);
                items.extend(some.map(|element| place.element(key, element, people)));
            }
            None => rest.push((key, raw)),
        }
    }
}

fn object_of(fields: &[(&str, &RawValue)]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(key, raw)| format!("{}:{}", serde_json::Value::from(*key), raw.get()))
        .collect();
    format!("{{{}}}", fields.join(","))
}

/// Meta's id of the number: in the metadata, but for handovers, whose recipient it is (facts §1.5).
fn number_of(field: &str, value: &Object<'_>) -> Option<String> {
    let id = |key: &str| value.object(key)?.string("phone_number_id");
    id("metadata").or_else(|| (field == HANDOVERS).then(|| id("recipient")).flatten())
}

/// Where in the body we are: what every item found there shares.
#[derive(Default)]
struct Place {
    entry_id: String,
    time: Option<Timestamp>,
    field: String,
    phone_number_id: Option<String>,
}

impl Place {
    fn element(&self, list: &str, raw: &RawValue, people: &[Contact]) -> Item {
        // Lists of the same name under other fields are imports and copies (`history`): never inbound.
        let element = Object::parse(raw.get()).unwrap_or_default();
        let at = element.time("timestamp");
        let read = |kind: Option<ItemKind>, key: &str| {
            let what = self.what(list);
            match (kind, element.text("id")) {
                (Some(kind), Some(id)) => {
                    let number = self.phone_number_id.as_deref().unwrap_or_default();
                    self.item(kind, format!("{key}|{number}|{id}"), raw.get(), at)
                }
                // Without an id it is known by its canonical value.
                (Some(kind), None) => Item {
                    kind,
                    ..self.other(what, raw.get(), at)
                },
                (None, _) => self.other(what, raw.get(), at),
            }
        };
        match (self.field.as_str(), list) {
            ("messages", "messages") => self.message(&element, raw, people),
            ("messages", "statuses") => self.status(&element, raw),
            (STANDBY, "messages") => read(message::standby(&element, people), "b"),
            ("smb_message_echoes", "message_echoes") => read(message::echo(&element, people), "e"),
            ("calls", "calls") => {
                let event = element.text("event").unwrap_or_default();
                read(notice::call(&element, people), &format!("c|{event}"))
            }
            ("calls", "statuses") => {
                let word = element.text("status").unwrap_or_default();
                read(notice::call_status(&element, people), &format!("cs|{word}"))
            }
            ("user_preferences", "user_preferences") => read(preference::preference(&element), "p"),
            ("user_id_update", "user_id_update") => read(identity::update(&element), "u"),
            _ => read(None, ""),
        }
    }

    /// `history.messages`, `messages.errors`; a list that is named like its field is named once.
    fn what(&self, list: &str) -> String {
        match &self.field {
            field if field == list => field.clone(),
            field => format!("{field}.{list}"),
        }
    }

    fn message(&self, element: &Object<'_>, raw: &RawValue, people: &[Contact]) -> Item {
        let at = element.time("timestamp");
        match message::message(element, people) {
            Some(kind) => {
                let number = self.phone_number_id.as_deref().unwrap_or_default();
                let wamid = element.text("id").unwrap_or_default();
                self.item(kind, format!("m|{number}|{wamid}"), raw.get(), at)
            }
            None if element.get("group_id").is_some() => {
                self.other("message.group".to_owned(), raw.get(), at)
            }
            None => self.other("message.unknown".to_owned(), raw.get(), at),
        }
    }

    fn status(&self, element: &Object<'_>, raw: &RawValue) -> Item {
        let at = element.time("timestamp");
        let what = || status::what(element);
        let kind =
            status::status(element, self.time).unwrap_or_else(|| ItemKind::Other { what: what() });
        match status::key(element) {
            Some(key) => self.item(kind, key, raw.get(), at),
            None => self.other(what(), raw.get(), at),
        }
    }

    /// A value without lists: an account or template event, or a handover. `account_update` may stand under a
    /// portfolio's id and name its WABA inside (facts §1.3).
    fn whole_value(&self, value: &Object<'_>, raw: &RawValue) -> Item {
        let mut item = self.other(self.field.clone(), raw.get(), value.time("timestamp"));
        if let Some(waba_id) = value
            .object("waba_info")
            .and_then(|info| info.string("waba_id"))
        {
            item.waba_id = waba_id;
        }
        if self.field == HANDOVERS
            && let Some(kind) = notice::handover(value)
        {
            item.kind = kind;
        }
        item
    }

    fn unread(&self, what: &str, raw: &RawValue) -> Item {
        let mut item = self.other(what.to_owned(), raw.get(), None);
        item.field = what.to_owned();
        item
    }

    fn other(&self, what: String, raw: &str, at: Option<Timestamp>) -> Item {
        let number = self.phone_number_id.as_deref().unwrap_or_default();
        let entry_id = &self.entry_id;
        let key = format!("o|{what}|{entry_id}|{number}|{}", canonical(raw));
        self.item(ItemKind::Other { what }, key, raw, at)
    }

    fn item(&self, kind: ItemKind, key: String, raw: &str, at: Option<Timestamp>) -> Item {
        Item {
            waba_id: self.entry_id.clone(),
            phone_number_id: self.phone_number_id.clone(),
            field: self.field.clone(),
            at: at.or(self.time),
            key,
            kind,
            raw: raw.to_owned(),
        }
    }
}
