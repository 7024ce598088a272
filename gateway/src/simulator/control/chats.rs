//! Customers: what they send, what they see.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::action::{CustomerFile, CustomerMessage};
use super::{Answer, Call, Refusal, done, to_value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldChange {
    field: String,
    value: Value,
}

pub(super) async fn route(call: &Call<'_>, method: &str, number: &str, path: &[&str]) -> Answer {
    let world = call.world;
    match (method, path) {
        ("POST", ["events"]) => {
            let change: FieldChange = call.body()?;
            world.field_changes(number, &change.field, &change.value)?;
            done()
        }
        ("GET", ["customers"]) => to_value(&world.number(number)?.customer_keys()),
        ("PUT", ["customers", who]) => {
            let (number, key) = world.chat_of(number, who)?;
            number.set_profile(&key, call.body()?);
            done()
        }
        ("POST", ["customers", who, "messages"]) => {
            let message: CustomerMessage = call.body()?;
            let id = world.customer_sends(number, who, message)?;
            Ok(json!({ "id": id }))
        }
        ("POST", ["customers", who, "media"]) => {
            let id = world.customer_sends_file(number, who, file(call)?)?;
            Ok(json!({ "id": id }))
        }
        ("GET", ["customers", who, "chat"]) => chat(call, number, who).await,
        _ => Err(Refusal::Path),
    }
}

/// `?kind=image&filename=&caption=`: the body is the file, its type stands in the header.
fn file(call: &Call<'_>) -> Result<CustomerFile, Refusal> {
    let kind = call.word("kind").unwrap_or("document");
    if !["image", "video", "audio", "document", "sticker"].contains(&kind) {
        return Err(Refusal::Kind);
    }
    if call.body.is_empty() {
        return Err(Refusal::Empty);
    }
    Ok(CustomerFile {
        kind: kind.to_owned(),
        mime_type: call.content_type.to_owned(),
        filename: call.word("filename").map(str::to_owned),
        caption: call.word("caption").map(str::to_owned),
        bytes: call.body.clone(),
    })
}

/// `?after=VERSION&timeout_ms=N`: waits until the chat has changed since that version, at most N ms (default 30 s).
async fn chat(call: &Call<'_>, number: &str, who: &str) -> Answer {
    let (number, key) = call.world.chat_of(number, who)?;
    if let Some(after) = call.number("after")? {
        let timeout = Duration::from_millis(call.number("timeout_ms")?.unwrap_or(30_000));
        let changed = number.wait_for(&key, |chat| chat.version > after);
        if let Ok(chat) = tokio::time::timeout(timeout, changed).await {
            return to_value(&chat);
        }
    }
    to_value(&number.with_chat(&key, Clone::clone))
}
