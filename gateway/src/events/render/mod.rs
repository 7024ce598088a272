//! From pointers to what followers see: the rows behind a page of events, read together, then each event in its shape.

mod handover;
mod inbound;
mod outbound;
mod template;

use std::collections::HashMap;

use serde_json::{Map, Value, json};

pub use inbound::elements;

use self::template::Templates;
use super::Shown;
use crate::directory::Snapshot;
use crate::domain::number::Number;
use crate::domain::{
    ConversationId, InstallationId, NumberId, Numbered, StreamEvent, StreamKind, TenantId,
    Timestamp,
};
use crate::storage::conversations::{self, Conversation, LoggedChange};
use crate::storage::history::{self, InboundEntry};
use crate::storage::notes::{self, Note};
use crate::storage::outbox::{self, OutboxRow};
use crate::storage::plugin_events::{self, Emitted};
use crate::storage::receipts::{self, KeptReceipt};
use crate::storage::{Result, Tx};

/// The rows that a page's events point at, those that are still there.
struct Rows<'a> {
    snapshot: &'a Snapshot,
    conversations: HashMap<ConversationId, Conversation>,
    inbound: HashMap<i64, InboundEntry>,
    /// The `messages[]` element of each inbound event as Meta sent it, while its body is kept.
    elements: HashMap<i64, Value>,
    sends: HashMap<i64, OutboxRow>,
    receipts: Vec<KeptReceipt>,
    changes: HashMap<i64, LoggedChange>,
    notes: HashMap<i64, Note>,
    emitted: HashMap<i64, Emitted>,
    templates: Templates,
}

/// Shows events, in their order.
pub(super) async fn shown(
    tx: &mut Tx,
    snapshot: &Snapshot,
    tenant: TenantId,
    numbered: &[Numbered],
) -> Result<Vec<Shown>> {
    let rows = Rows::read(tx, snapshot, tenant, numbered).await?;
    Ok(numbered
        .iter()
        .map(|Numbered { seq, event }| Shown {
            seq: *seq,
            kind: event.kind,
            timestamp: event.at,
            tenant,
            data: rows.data(event),
            conversation: event.conversation,
        })
        .collect())
}

fn subjects(numbered: &[Numbered], of: impl Fn(StreamKind) -> bool) -> Vec<i64> {
    let events = numbered.iter().map(|numbered| &numbered.event);
    let about = events.filter(|event| of(event.kind) && event.subject != 0);
    about.map(|event| event.subject).collect()
}

fn is_owner_change(kind: StreamKind) -> bool {
    use StreamKind as K;
    matches!(
        kind,
        K::ConversationQueued | K::ConversationAssigned | K::ConversationHandedBack
    )
}

fn is_of_send(kind: StreamKind) -> bool {
    use StreamKind as K;
    matches!(
        kind,
        K::MessageSent
            | K::MessageStatus
            | K::MessageFailed
            | K::MessageRefused
            | K::MessageCancelled
            | K::ConversationFirstHumanReply
    )
}

impl<'a> Rows<'a> {
    async fn read(
        tx: &mut Tx,
        snapshot: &'a Snapshot,
        tenant: TenantId,
        numbered: &[Numbered],
    ) -> Result<Self> {
        let ids: Vec<ConversationId> = numbered.iter().map(|n| n.event.conversation).collect();
        let conversations = conversations::load_all_tenants(tx, &ids).await?;
        let received = subjects(numbered, |kind| kind == StreamKind::MessageReceived);
        let inbound = history::inbound(tx, tenant, &received).await?;
        let sends = subjects(numbered, is_of_send);
        let receipted = subjects(numbered, |kind| kind == StreamKind::MessageStatus);
        let changes = subjects(numbered, is_owner_change);
        let noted = subjects(numbered, |kind| kind == StreamKind::ConversationNoted);
        let emitted = subjects(numbered, |kind| kind == StreamKind::PluginEvent);
        let turned = subjects(numbered, |kind| kind == StreamKind::TemplateChanged);
        Ok(Self {
            snapshot,
            elements: inbound::elements(tx, &inbound).await?,
            conversations: conversations
                .into_iter()
                .filter(|row| row.tenant == tenant)
                .map(|row| (row.id, row))
                .collect(),
            inbound: inbound.into_iter().map(|row| (row.id.raw(), row)).collect(),
            sends: outbox::by_ids(tx, tenant, &sends)
                .await?
                .into_iter()
                .map(|row| (row.draft.id.raw(), row))
                .collect(),
            receipts: receipts::of_sends(tx, tenant, &receipted).await?,
            changes: conversations::logged(tx, tenant, &changes)
                .await?
                .into_iter()
                .map(|row| (row.id, row))
                .collect(),
            notes: notes::by_ids(tx, tenant, &noted)
                .await?
                .into_iter()
                .map(|row| (row.id, row))
                .collect(),
            emitted: plugin_events::by_ids(tx, tenant, &emitted)
                .await?
                .into_iter()
                .map(|row| (row.id, row))
                .collect(),
            templates: Templates::read(tx, tenant, &turned).await?,
        })
    }

    fn data(&self, event: &StreamEvent) -> Value {
        use StreamKind as K;
        let mut data = Map::new();
        if event.conversation.raw() != 0 {
            data.insert("conversation".to_owned(), self.conversation(event));
        }
        match event.kind {
            K::MessageReceived => self.received(event, &mut data),
            K::MessageSent | K::MessageFailed | K::MessageRefused | K::MessageCancelled => {
                self.send(event, &mut data);
            }
            K::MessageStatus => self.status(event, &mut data),
            K::ConversationQueued | K::ConversationAssigned | K::ConversationHandedBack => {
                self.handover(event, &mut data);
            }
            K::ConversationFirstHumanReply => self.send(event, &mut data),
            K::ConversationSnoozed => {
                data.insert("by".to_owned(), json!(event.note));
                let until = Timestamp::from_millis(event.subject);
                data.insert("until".to_owned(), json!(until.to_string()));
            }
            K::ConversationClosed | K::ConversationReopened | K::ConversationWoke => {
                data.insert("by".to_owned(), json!(event.note));
            }
            K::ConversationNoted => {
                data.insert("by".to_owned(), json!(event.note));
                let note = self.notes.get(&event.subject).map(|note| &note.body);
                data.insert("note".to_owned(), json!(note));
            }
            K::PluginEvent => self.emitted(event, &mut data),
            K::PluginRolledBack | K::PluginBreakerOpened | K::PluginBreakerClosed => {
                let installation = InstallationId::from_raw(event.subject);
                data.insert("installation".to_owned(), json!(installation));
                data.insert("reason".to_owned(), json!(event.note));
            }
            K::TemplateChanged => return self.template(event),
            K::UsageWarned => {
                data.insert(
                    "number".to_owned(),
                    json!(NumberId::from_raw(event.subject)),
                );
                data.insert("percent".to_owned(), json!(event.detail));
                data.insert("of".to_owned(), json!(event.note));
            }
            K::MarketingHeld => {
                data.insert(
                    "number".to_owned(),
                    json!(NumberId::from_raw(event.subject)),
                );
                data.insert("reason".to_owned(), json!(event.note));
            }
            K::ConversationOpened => {}
        }
        Value::Object(data)
    }

    /// What a plugin told; its name alone when the rest is gone.
    fn emitted(&self, event: &StreamEvent, data: &mut Map<String, Value>) {
        data.insert("name".to_owned(), json!(event.note));
        if let Some(emitted) = self.emitted.get(&event.subject) {
            let plugin = json!({"name": emitted.plugin, "version": emitted.plugin_version});
            data.insert("plugin".to_owned(), plugin);
            let fields: Value = serde_json::from_str(&emitted.fields).unwrap_or_default();
            data.insert("fields".to_owned(), fields);
        }
    }

    /// Which conversation it is, whatever became of its row.
    fn conversation(&self, event: &StreamEvent) -> Value {
        match self.conversations.get(&event.conversation) {
            Some(row) => json!({"id": row.id, "number": row.number, "contact": row.contact}),
            None => json!({"id": event.conversation}),
        }
    }

    fn number(&self, conversation: ConversationId) -> Option<&Number> {
        let row = self.conversations.get(&conversation)?;
        let connected = self.snapshot.number(row.number);
        connected
            .map(|entry| &entry.number)
            .or_else(|| self.snapshot.former(row.number))
            .map(AsRef::as_ref)
    }

    /// A `value` of Meta's with its head: whose number it is, and whose person (facts §2.1).
    fn value(&self, conversation: ConversationId, with_contacts: bool) -> Map<String, Value> {
        let mut value = Map::new();
        value.insert("messaging_product".to_owned(), json!("whatsapp"));
        if let Some(number) = self.number(conversation) {
            let metadata = json!({
                // Digits alone, as Meta has it (facts §1.2).
                "display_phone_number": number.display_number.chars().filter(char::is_ascii_digit).collect::<String>(),
                "phone_number_id": number.phone_number_id,
            });
            value.insert("metadata".to_owned(), metadata);
        }
        if with_contacts {
            let row = self.conversations.get(&conversation);
            let contacts: Vec<Value> = row.map(contact).into_iter().collect();
            value.insert("contacts".to_owned(), Value::Array(contacts));
        }
        value
    }
}

/// One element of `contacts[]`; identifiers that are not known are left out.
fn contact(row: &Conversation) -> Value {
    let mut contact = Map::new();
    contact.insert("profile".to_owned(), json!({"name": row.display_name}));
    for (key, value) in [("wa_id", &row.phone), ("user_id", &row.bsuid)] {
        if !value.is_empty() {
            contact.insert(key.to_owned(), json!(value));
        }
    }
    Value::Object(contact)
}

/// Puts Meta's `field` and `value` into an event's data.
fn put(data: &mut Map<String, Value>, field: &str, value: Map<String, Value>) {
    data.insert("field".to_owned(), json!(field));
    data.insert("value".to_owned(), Value::Object(value));
}

/// Meta writes times as text, in whole seconds.
fn seconds(at: Timestamp) -> String {
    (at.millis() / 1000).to_string()
}
