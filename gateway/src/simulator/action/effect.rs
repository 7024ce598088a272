//! What an action changes: the chat on the phone, the window, the free entry point.

use super::super::chat::{Chat, ChatItem};
use super::super::number::Number;
use super::super::world::World;
use super::WINDOW;
use crate::domain::Timestamp;

impl World {
    /// Window and ad, as Meta keeps them (§6.1, §6.2).
    pub(super) fn has_written(
        &self,
        number: &Number,
        key: &str,
        kind: &str,
        at: Timestamp,
        by_ad: bool,
    ) {
        if !opens_window(kind) {
            return;
        }
        number.with_customer(key, |customer| {
            customer.window_until = customer.window_until.max(at.plus(WINDOW));
            customer.wrote_at = customer.wrote_at.max(at);
            if by_ad {
                customer.came_by_ad = Some(at);
            }
        });
    }
}

impl Number {
    /// The customer's own message appears on the phone.
    pub(super) fn say(&self, key: &str, item: ChatItem) {
        if !self.keeps_chats() {
            return;
        }
        let changes = matches!(item.kind.as_str(), "reaction" | "edit" | "revoke");
        if changes {
            self.change_chat(key, |chat| change(chat, &item));
        }
        self.append(key, item);
    }
}

/// Reactions, edits and deletions are about another message.
fn change(chat: &mut Chat, by: &ChatItem) {
    let about = match by.kind.as_str() {
        "reaction" => "message_id",
        _ => "original_message_id",
    };
    let id = by.content[about].as_str().unwrap_or_default();
    let Some(item) = chat.item_mut(id) else {
        return;
    };
    match by.kind.as_str() {
        "reaction" => {
            let emoji = by.content["emoji"]
                .as_str()
                .filter(|emoji| !emoji.is_empty());
            item.reaction = emoji.map(str::to_owned);
        }
        "edit" => {
            item.text.clone_from(&by.text);
            item.content = by.content["message"]["text"].clone();
            item.edited = true;
        }
        _ => item.revoked = true,
    }
}

/// Which inbound types open or refresh the window (§2.7; the strict reading where it is unverified).
fn opens_window(kind: &str) -> bool {
    !matches!(kind, "reaction" | "revoke" | "edit" | "system" | "")
}
