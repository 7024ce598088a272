//! A received message: `messages` for whoever has the conversation, `standby` while the bot has it (facts §1.5, §2.1).

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{Rows, put, seconds};
use crate::domain::{InboundContent, InboundMessage, RawId, StreamEvent};
use crate::graph::webhook;
use crate::storage::history::InboundEntry;
use crate::storage::{Result, Tx, raw};

/// The elements as Meta sent them, for those whose body is still kept. A body is read once, however many messages it holds.
pub async fn elements(tx: &mut Tx, inbound: &[InboundEntry]) -> Result<HashMap<i64, Value>> {
    let mut by_raw: HashMap<RawId, Vec<&InboundEntry>> = HashMap::new();
    for entry in inbound {
        by_raw.entry(entry.raw).or_default().push(entry);
    }
    let mut elements = HashMap::new();
    for (raw, entries) in by_raw {
        let Some(body) = raw::body_all_tenants(tx, raw).await? else {
            continue;
        };
        let items = webhook::read(&body).unwrap_or_default();
        for entry in entries {
            let item = usize::try_from(entry.ordinal)
                .ok()
                .and_then(|n| items.get(n));
            let element = item.and_then(|item| serde_json::from_str(&item.raw).ok());
            elements.extend(element.map(|element| (entry.id.raw(), element)));
        }
    }
    Ok(elements)
}

impl Rows<'_> {
    pub(super) fn received(&self, event: &StreamEvent, data: &mut Map<String, Value>) {
        let Some(entry) = self.inbound.get(&event.subject) else {
            return;
        };
        data.insert(
            "message".to_owned(),
            json!({"id": entry.id, "direction": "in", "wamid": entry.wamid}),
        );
        let element = self.elements.get(&event.subject).cloned();
        let messages = json!([element.unwrap_or_else(|| self.rebuilt(entry))]);
        let bots = event.detail == 0;
        let mut value = self.value(entry.conversation, !bots);
        if bots {
            let contacts = self.value(entry.conversation, true).remove("contacts");
            value.insert(
                "standby".to_owned(),
                json!({"contacts": contacts, "messages": messages}),
            );
            put(data, "standby", value);
        } else {
            value.insert("messages".to_owned(), messages);
            put(data, "messages", value);
        }
    }

    /// The element from what we keep of it, when Meta's own bytes are gone. Types that we do not know have their name only.
    fn rebuilt(&self, entry: &InboundEntry) -> Value {
        let row = self.conversations.get(&entry.conversation);
        let message: Option<InboundMessage> = serde_json::from_str(&entry.content).ok();
        let content = message.map(|message| message.content);
        let mut element = Map::new();
        element.insert("id".to_owned(), json!(entry.wamid));
        element.insert("timestamp".to_owned(), json!(seconds(entry.at)));
        for (key, value) in [
            ("from", row.map(|row| &row.phone)),
            ("from_user_id", row.map(|row| &row.bsuid)),
        ] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                element.insert(key.to_owned(), json!(value));
            }
        }
        match content {
            Some(InboundContent::Text { body }) => {
                element.insert("type".to_owned(), json!("text"));
                element.insert("text".to_owned(), json!({"body": body}));
            }
            _ => {
                // Our own typed form, under a name that no Cloud API client takes for Meta's.
                let typed: Value = serde_json::from_str(&entry.content).unwrap_or_default();
                element.insert("type".to_owned(), json!("unsupported"));
                element.insert("vestibule_content".to_owned(), typed);
            }
        }
        Value::Object(element)
    }
}
