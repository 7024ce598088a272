//! One element of `statuses[]`: what Meta says became of a send (facts §3).

use std::borrow::Cow;

use super::item::ItemKind;
use super::person::{Keys, person};
use crate::domain::{OutboxId, PersonRef, Receipt, ReceiptStatus, Timestamp};
use crate::graph::json::Object;

/// `None` for a status that is no receipt of a message: calls, payments, the legacy `deleted` and `warning`, words
/// that we do not know yet, and elements without an id.
pub(super) fn status(element: &Object<'_>, entry_time: Option<Timestamp>) -> Option<ItemKind> {
    if other_type(element).is_some() {
        return None;
    }
    let receipt = Receipt {
        wamid: element.string("id")?,
        status: word(element).and_then(|word| receipt_status(&word))?,
        at: element
            .time("timestamp")
            .or(entry_time)
            .unwrap_or(Timestamp::ZERO),
        outbox: element
            .text("biz_opaque_callback_data")
            .and_then(|text| text.parse::<OutboxId>().ok()),
        error: element
            .first("errors")
            .and_then(|error| error.integer("code")),
        pricing: element
            .get("pricing")
            .map(|pricing| pricing.get().to_owned()),
        free_until: free_until(element),
    };
    Some(ItemKind::Status {
        receipt,
        recipient: recipient(element),
    })
}

/// Statuses of calls and payments use some of the same words (facts §3.1); any other `type` is a message's.
fn other_type<'a>(element: &Object<'a>) -> Option<Cow<'a, str>> {
    element
        .text("type")
        .filter(|kind| matches!(kind.as_ref(), "call" | "payment"))
}

fn receipt_status(word: &str) -> Option<ReceiptStatus> {
    match word {
        "sent" => Some(ReceiptStatus::Sent),
        "delivered" => Some(ReceiptStatus::Delivered),
        "read" => Some(ReceiptStatus::Read),
        "played" => Some(ReceiptStatus::Played),
        "failed" => Some(ReceiptStatus::Failed),
        _ => None,
    }
}

fn word<'a>(element: &Object<'a>) -> Option<Cow<'a, str>> {
    element.text("status")
}

const PARTICIPANT: Keys = Keys {
    phone: "recipient_participant_id",
    user_id: "recipient_participant_user_id",
    parents: &["recipient_participant_parent_user_id"],
};

/// `parent_recipient_user_id` was the spelling until May 2026 (facts §2.3).
pub(super) const RECIPIENT: Keys = Keys {
    phone: "recipient_id",
    user_id: "recipient_user_id",
    parents: &["recipient_parent_user_id", "parent_recipient_user_id"],
};

/// Whom it was sent to. A group's status names the group as recipient and the person as participant.
fn recipient(element: &Object<'_>) -> Option<PersonRef> {
    person(element, &PARTICIPANT).or_else(|| {
        let is_group = element
            .text("recipient_type")
            .is_some_and(|kind| kind == "group");
        if is_group {
            None
        } else {
            person(element, &RECIPIENT)
        }
    })
}

/// Until when messages to the person are free, when the status tells of a free entry point (facts §6.2). Before v24
/// every status had a conversation: only its origin tells.
fn free_until(element: &Object<'_>) -> Option<Timestamp> {
    let conversation = element.object("conversation")?;
    let origin = conversation.object("origin")?;
    (origin.text("type")? == "referral_conversion")
        .then(|| conversation.time("expiration_timestamp"))?
}

/// What tells one status from another: wamid, status word and recipient (facts §0.3 rule 3); `None` without a wamid.
pub(super) fn key(element: &Object<'_>) -> Option<String> {
    let recipient = [
        "recipient_participant_id",
        "recipient_participant_user_id",
        "recipient_id",
        "recipient_user_id",
    ]
    .iter()
    .find_map(|key| element.text(key))
    .unwrap_or_default();
    let word = word(element).unwrap_or_default();
    element
        .text("id")
        .map(|wamid| format!("s|{wamid}|{word}|{recipient}"))
}

/// `status.deleted`, `status.call`: under what a status that is no receipt is counted.
pub(super) fn what(element: &Object<'_>) -> String {
    let word = other_type(element)
        .or_else(|| word(element))
        .unwrap_or(Cow::Borrowed("unknown"));
    format!("status.{word}")
}
