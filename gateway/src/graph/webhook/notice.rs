//! What happens in a conversation and nobody writes: calls and handovers (facts §1.5).

use super::item::ItemKind;
use super::person::{Contact, FROM, Keys, TO, author};
use super::status::RECIPIENT;
use crate::domain::inbound::{Call, Handover};
use crate::domain::{InboundContent, InboundMessage, Source};
use crate::graph::json::Object;

/// `messaging_handovers` names the person by phone where Meta shows one.
const SENDER: Keys = Keys {
    phone: "phone_number",
    user_id: "user_id",
    parents: &["parent_user_id"],
};

/// An element of `calls[]`.
pub(super) fn call(element: &Object<'_>, contacts: &[Contact]) -> Option<ItemKind> {
    let by_customer = match element.text("direction").as_deref() {
        Some("USER_INITIATED") => Some(true),
        Some("BUSINESS_INITIATED") => Some(false),
        _ => None,
    };
    let keys = if by_customer == Some(false) {
        &TO
    } else {
        &FROM
    };
    let call = Call {
        id: element.string("id")?,
        event: element.string("event")?,
        by_customer,
        outcome: element.string("status"),
        seconds: element.integer("duration"),
    };
    Some(notice(element, keys, contacts, call))
}

/// An element of `statuses[]` under `calls`: of a call of the business's.
pub(super) fn call_status(element: &Object<'_>, contacts: &[Contact]) -> Option<ItemKind> {
    let call = Call {
        id: element.string("id")?,
        event: element.text("status")?.to_ascii_lowercase(),
        by_customer: Some(false),
        outcome: None,
        seconds: None,
    };
    Some(notice(element, &RECIPIENT, contacts, call))
}

fn notice(element: &Object<'_>, keys: &Keys, contacts: &[Contact], call: Call) -> ItemKind {
    let author = author(element, keys, contacts);
    ItemKind::Message {
        wamid: call.id.clone(),
        from: author.person,
        profile_name: author.profile_name,
        username: author.username,
        message: happened(InboundContent::Call(call)),
    }
}

/// The value of `messaging_handovers`. `None` when it does not say who has the conversation now, or of whom.
pub(super) fn handover(value: &Object<'_>) -> Option<ItemKind> {
    let taken = match value.text("type")?.as_ref() {
        "control_taken" => true,
        "control_passed" => false,
        _ => return None,
    };
    let object = value.object("object").unwrap_or_default();
    let summary = object
        .object("conversation_context")
        .and_then(|context| context.object("summary"))
        .and_then(|summary| summary.string("text"));
    let handover = Handover {
        taken,
        previous_role: object.string("previous_owner_role"),
        new_role: object.string("new_owner_role"),
        note: summary.or_else(|| object.string("metadata")),
    };
    Some(ItemKind::Message {
        wamid: String::new(),
        from: Some(super::person::person(&value.object("sender")?, &SENDER)?),
        profile_name: None,
        username: None,
        message: happened(InboundContent::Handover(handover)),
    })
}

fn happened(content: InboundContent) -> Box<InboundMessage> {
    Box::new(InboundMessage {
        source: Source::Notice,
        ..content.into()
    })
}
