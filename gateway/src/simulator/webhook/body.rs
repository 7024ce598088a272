//! Updates and the body that carries them: `entry[] → changes[] → value` (`whatsapp-cloud-api.md` §1.2, §2.1).

use bytes::Bytes;

use super::super::number::Number;
use super::ascii_json;

/// What kind of change an update is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Message,
    Status,
    /// Another webhook field; the element is the whole `value`.
    Field(String),
}

/// One update: a message, a status or a whole change of another field, already JSON.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(super) waba_id: String,
    /// Empty for an account's.
    pub(super) number_id: String,
    metadata: String,
    kind: Kind,
    element: String,
    contact: Option<String>,
    /// `entry[].time`, which account and template events have (§1.2).
    time: Option<i64>,
    /// Updates of one lane are posted one after the other.
    pub lane: usize,
}

impl Update {
    pub fn new(
        number: &Number,
        customer: &str,
        kind: Kind,
        element: String,
        contact: Option<String>,
    ) -> Self {
        Self {
            waba_id: number.waba_id().to_owned(),
            number_id: number.id().to_owned(),
            metadata: number.metadata.clone(),
            kind,
            element,
            contact,
            time: None,
            lane: Number::lane(customer),
        }
    }

    /// A change of an account, not of one of its numbers.
    pub fn of_account(waba_id: &str, field: &str, element: String, time: i64) -> Self {
        Self {
            waba_id: waba_id.to_owned(),
            number_id: String::new(),
            metadata: String::new(),
            kind: Kind::Field(field.to_owned()),
            element,
            contact: None,
            time: Some(time),
            lane: Number::lane(waba_id),
        }
    }
}

/// Fields beside `messages` that go where a number's or account's own callback is; all others go to the app's (§1.3).
const FOLLOWING: [&str; 9] = [
    "calls",
    "group_lifecycle_update",
    "group_participants_update",
    "group_settings_update",
    "group_status_update",
    "history",
    "smb_message_echoes",
    "smb_app_state_sync",
    "messaging_handovers",
];

impl Update {
    pub(super) fn follows_override(&self) -> bool {
        match &self.kind {
            Kind::Message | Kind::Status => true,
            Kind::Field(field) => FOLLOWING.contains(&field.as_str()),
        }
    }
}

struct Change<'a> {
    metadata: &'a str,
    kind: &'a Kind,
    contacts: Vec<&'a str>,
    elements: Vec<&'a str>,
}

struct Entry<'a> {
    waba_id: &'a str,
    time: Option<i64>,
    changes: Vec<Change<'a>>,
}

/// One body for all `updates`: one entry per WABA, one change per number and kind, in order of appearance.
pub(super) fn body(updates: &[Update]) -> Bytes {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for update in updates {
        let place = entries
            .iter()
            .position(|entry| entry.waba_id == update.waba_id && entry.time == update.time)
            .unwrap_or_else(|| {
                entries.push(Entry {
                    waba_id: &update.waba_id,
                    time: update.time,
                    changes: Vec::new(),
                });
                entries.len() - 1
            });
        entries[place].add(update);
    }
    let entries: Vec<String> = entries.iter().map(Entry::json).collect();
    Bytes::from(format!(
        r#"{{"object":"whatsapp_business_account","entry":[{}]}}"#,
        entries.join(",")
    ))
}

impl<'a> Entry<'a> {
    fn add(&mut self, update: &'a Update) {
        let joins = |change: &&mut Change<'_>| {
            change.metadata == update.metadata
                && *change.kind == update.kind
                && !matches!(update.kind, Kind::Field(_))
        };
        let Some(change) = self.changes.iter_mut().find(joins) else {
            self.changes.push(Change {
                metadata: &update.metadata,
                kind: &update.kind,
                contacts: update.contact.as_deref().into_iter().collect(),
                elements: vec![&update.element],
            });
            return;
        };
        change.elements.push(&update.element);
        if let Some(contact) = &update.contact
            && !change.contacts.contains(&contact.as_str())
        {
            change.contacts.push(contact);
        }
    }

    fn json(&self) -> String {
        let changes: Vec<String> = self.changes.iter().map(Change::json).collect();
        let time = self
            .time
            .map_or_else(String::new, |time| format!(r#""time":{time},"#));
        format!(
            r#"{{"id":{},{time}"changes":[{}]}}"#,
            ascii_json(&self.waba_id),
            changes.join(",")
        )
    }
}

impl Change<'_> {
    fn json(&self) -> String {
        let array = match self.kind {
            Kind::Message => "messages",
            Kind::Status => "statuses",
            Kind::Field(field) => {
                let value = self.elements.concat();
                return format!(r#"{{"value":{value},"field":{}}}"#, ascii_json(field));
            }
        };
        let contacts = if self.contacts.is_empty() {
            String::new()
        } else {
            format!(r#""contacts":[{}],"#, self.contacts.join(","))
        };
        format!(
            r#"{{"value":{{"messaging_product":"whatsapp","metadata":{},{contacts}"{array}":[{}]}},"field":"messages"}}"#,
            self.metadata,
            self.elements.join(",")
        )
    }
}
