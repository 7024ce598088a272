//! Sends: echoes of what went out, and statuses as Meta words them (facts §1.5, §3.1).

use serde_json::{Map, Value, json};

use super::{Rows, put, seconds};
use crate::domain::{ReceiptStatus, Recipient, StreamEvent, StreamKind};
use crate::graph::send;
use crate::storage::outbox::OutboxRow;
use crate::storage::receipts::KeptReceipt;

impl Rows<'_> {
    pub(super) fn send(&self, event: &StreamEvent, data: &mut Map<String, Value>) {
        let Some(row) = self.sends.get(&event.subject) else {
            return;
        };
        data.insert("message".to_owned(), summary(row));
        let reason = Some(&event.note).filter(|note| !note.is_empty());
        match event.kind {
            StreamKind::MessageSent => self.echo(row, event, data),
            StreamKind::MessageFailed => {
                let error = json!({"code": row.error.unwrap_or(0), "title": reason});
                self.statuses(row, data, "failed", seconds(event.at), Some(error), None);
            }
            _ => {}
        }
        if let Some(reason) = reason {
            data.insert("reason".to_owned(), json!(reason));
        }
    }

    /// What went out, as the body that the Send API took.
    fn echo(&self, row: &OutboxRow, event: &StreamEvent, data: &mut Map<String, Value>) {
        let draft = &row.draft;
        let body = send::body(
            &draft.recipient,
            &draft.content,
            draft.reply_to.as_deref(),
            draft.id,
        );
        let mut body: Value = serde_json::from_str(&body).unwrap_or_default();
        if let Some(body) = body.as_object_mut() {
            // How receipts find their row is between Meta and us.
            body.remove("biz_opaque_callback_data");
        }
        let echo = json!({"id": row.wamid, "timestamp": seconds(event.at), "message": body});
        let mut value = self.value(draft.conversation, false);
        let contacts = self.value(draft.conversation, true).remove("contacts");
        value.insert(
            "standby".to_owned(),
            json!({"contacts": contacts, "message_echoes": [echo]}),
        );
        put(data, "standby", value);
    }

    pub(super) fn status(&self, event: &StreamEvent, data: &mut Map<String, Value>) {
        let Some(row) = self.sends.get(&event.subject) else {
            return;
        };
        data.insert("message".to_owned(), summary(row));
        let status = i64::from(event.detail);
        let receipt = self
            .receipts
            .iter()
            .find(|receipt| receipt.outbox == row.draft.id && receipt.status == status);
        let Some(word) = ReceiptStatus::from_code(status).map(ReceiptStatus::word) else {
            return;
        };
        let at = receipt.map_or(event.at, |receipt| receipt.at);
        let error = receipt
            .map(|receipt| receipt.error)
            .filter(|error| *error != 0)
            .map(|code| json!({"code": code}));
        self.statuses(row, data, word, seconds(at), error, receipt);
    }

    fn statuses(
        &self,
        row: &OutboxRow,
        data: &mut Map<String, Value>,
        word: &str,
        at: String,
        error: Option<Value>,
        receipt: Option<&KeptReceipt>,
    ) {
        let mut status = Map::new();
        status.insert("id".to_owned(), json!(row.wamid));
        status.insert("status".to_owned(), json!(word));
        status.insert("timestamp".to_owned(), json!(at));
        let (key, person) = match &row.draft.recipient {
            Recipient::Phone(phone) => ("recipient_id", phone.digits()),
            Recipient::Bsuid(bsuid) => ("recipient_user_id", bsuid.as_str()),
        };
        status.insert(key.to_owned(), json!(person));
        let pricing = receipt.and_then(|receipt| serde_json::from_str(&receipt.pricing).ok());
        if let Some(Value::Object(pricing)) = pricing {
            status.insert("pricing".to_owned(), Value::Object(pricing));
        }
        if let Some(error) = error {
            status.insert("errors".to_owned(), json!([error]));
        }
        let mut value = self.value(row.draft.conversation, false);
        value.insert("statuses".to_owned(), json!([status]));
        put(data, "messages", value);
    }
}

/// The send by our own names.
fn summary(row: &OutboxRow) -> Value {
    json!({
        "id": row.draft.id,
        "direction": "out",
        "wamid": row.wamid,
        "type": row.draft.content.kind(),
        "sender": row.draft.sender,
    })
}
