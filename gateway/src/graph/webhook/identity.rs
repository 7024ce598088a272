//! What Meta says of a person: another number, another user id (facts §2.3). It comes as a `system` message, as an
//! element of `user_id_update[]`, or both, in any order.

use super::item::ItemKind;
use super::person::{CONTACT, person};
use crate::domain::{IdentityChange, InboundContent, InboundMessage, PersonRef, Source};
use crate::graph::json::Object;

/// The object of a `system` message; `author` is who the person was.
pub(super) fn system(object: &Object<'_>, author: Option<&PersonRef>) -> InboundContent {
    let kind = object.string("type").unwrap_or_default();
    let changes = matches!(
        kind.as_str(),
        "user_changed_number" | "user_changed_user_id" | "customer_changed_number"
    );
    let change = || {
        let before = author?.clone();
        let after = person(object, &CONTACT)?;
        (after != before).then_some(IdentityChange { before, after })
    };
    let change = changes.then(change).flatten();
    InboundContent::System { kind, change }
}

/// An element of `user_id_update[]`. `None` when it does not say who became whom.
pub(super) fn update(element: &Object<'_>) -> Option<ItemKind> {
    let ids = |when: &str| {
        let id = |key: &str| element.object(key).and_then(|change| change.string(when));
        let (user_id, parent) = (id("user_id"), id("parent_user_id"));
        (user_id, parent)
    };
    let (user_id, parent) = ids("previous");
    let before = PersonRef::read(None, user_id.as_deref(), parent.as_deref())?;
    let (user_id, parent) = ids("current");
    let phone = element.text("wa_id");
    let after = PersonRef::read(phone.as_deref(), user_id.as_deref(), parent.as_deref())?;
    let content = InboundContent::System {
        kind: "user_id_update".to_owned(),
        change: Some(IdentityChange {
            before: before.clone(),
            after,
        }),
    };
    Some(ItemKind::Message {
        wamid: String::new(),
        from: Some(before),
        profile_name: None,
        username: None,
        message: Box::new(InboundMessage {
            source: Source::Notice,
            ..content.into()
        }),
    })
}
