//! A change of owner, in the shape of Meta's `messaging_handovers` (facts §1.5) and with our own words beside it.

use serde_json::{Map, Value, json};

use super::{Rows, put, seconds};
use crate::domain::{Owner, StreamEvent};

/// Meta's bound of `metadata`, in characters.
const METADATA_MOST: usize = 2000;

impl Rows<'_> {
    pub(super) fn handover(&self, event: &StreamEvent, data: &mut Map<String, Value>) {
        let Some(logged) = self.changes.get(&event.subject) else {
            return;
        };
        let change = &logged.change;
        data.insert("owner_version".to_owned(), json!(logged.owner_version));
        data.insert("owner_change".to_owned(), json!(change));
        let row = self.conversations.get(&event.conversation);
        let mut sender = Map::new();
        if let Some(row) = row.filter(|row| !row.phone.is_empty()) {
            sender.insert("phone_number".to_owned(), json!(row.phone));
        }
        let mut value = Map::new();
        value.insert("sender".to_owned(), Value::Object(sender));
        let recipient = self.value(event.conversation, false).remove("metadata");
        value.insert("recipient".to_owned(), json!(recipient));
        // Taken: by whoever has it now. Passed: by a plugin, a rule or somebody else.
        let taken = change.to.name() == change.by && !change.to.is_bot();
        let kind = if taken {
            "control_taken"
        } else {
            "control_passed"
        };
        value.insert("type".to_owned(), json!(kind));
        value.insert("timestamp".to_owned(), json!(seconds(event.at)));
        let note: String = change
            .note
            .iter()
            .flat_map(|note| note.chars())
            .take(METADATA_MOST)
            .collect();
        value.insert(
            "object".to_owned(),
            json!({
                "previous_owner_role": role(&change.from),
                "new_owner_role": role(&change.to),
                "metadata": note,
            }),
        );
        put(data, "messaging_handovers", value);
    }
}

/// Meta's word for a kind of owner.
fn role(owner: &Owner) -> &'static str {
    match owner {
        Owner::Bot => "ai_agent",
        Owner::Queue(_) => "escalation",
        Owner::Agent(_) | Owner::External(_) => "customer_service",
    }
}
