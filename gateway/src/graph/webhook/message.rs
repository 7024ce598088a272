//! One element of `messages[]`: its content by type (facts §2.2) and what it answers (§2.4).

use std::borrow::Cow;

use super::item::ItemKind;
use super::person::{Contact, author};
use crate::domain::InboundContent;
use crate::domain::inbound::MediaKind;
use crate::graph::json::Object;

/// `None` when it has no id, or belongs to a group: such an element is kept raw.
///
/// A group's messages must not open or enter the sender's own conversation, where a bot would answer them.
pub(super) fn message(element: &Object<'_>, contacts: &[Contact]) -> Option<ItemKind> {
    let wamid = element.string("id")?;
    if element.get("group_id").is_some() {
        return None;
    }
    let author = author(element, contacts);
    let context_id = element
        .object("context")
        .and_then(|context| context.string("id"));
    Some(ItemKind::Message {
        wamid,
        from: author.person,
        profile_name: author.profile_name,
        username: author.username,
        content: content(element),
        context_id,
    })
}

/// The content by `type`; a type that we do not know, or whose object is missing or odd, is `Other` under its name.
fn content(element: &Object<'_>) -> InboundContent {
    let kind = element.text("type").unwrap_or(Cow::Borrowed("unknown"));
    element
        .object(&kind)
        .and_then(|object| typed(&kind, &object))
        .unwrap_or_else(|| InboundContent::Other {
            kind: kind.into_owned(),
        })
}

fn typed(kind: &str, object: &Object<'_>) -> Option<InboundContent> {
    match kind {
        "text" => Some(InboundContent::Text {
            body: object.string("body")?,
        }),
        "button" => template_button(object),
        "interactive" => interactive(object),
        "reaction" => Some(InboundContent::Reaction {
            message_id: object.string("message_id")?,
            emoji: object.string("emoji").filter(|emoji| !emoji.is_empty()),
        }),
        "image" => media(MediaKind::Image, object),
        "video" => media(MediaKind::Video, object),
        // The On-Premises API, and BSPs that grew up with it, call a voice note `voice`.
        "audio" | "voice" => media(MediaKind::Audio, object),
        "document" => media(MediaKind::Document, object),
        "sticker" => media(MediaKind::Sticker, object),
        _ => None,
    }
}

fn template_button(object: &Object<'_>) -> Option<InboundContent> {
    let text = object.string("text").unwrap_or_default();
    // Facts §2.2: the payload is the button's text unless the send set one.
    let payload = object.string("payload").unwrap_or_else(|| text.clone());
    (!payload.is_empty()).then_some(InboundContent::TemplateButton { payload, text })
}

fn interactive(object: &Object<'_>) -> Option<InboundContent> {
    let kind = object.text("type")?;
    let reply = object.object(&kind)?;
    let id = || reply.string("id");
    let title = || reply.string("title").unwrap_or_default();
    match kind.as_ref() {
        "button_reply" => Some(InboundContent::ButtonReply {
            id: id()?,
            title: title(),
        }),
        "list_reply" => Some(InboundContent::ListReply {
            id: id()?,
            title: title(),
            description: reply.string("description"),
        }),
        _ => None,
    }
}

fn media(kind: MediaKind, object: &Object<'_>) -> Option<InboundContent> {
    Some(InboundContent::Media {
        kind,
        media_id: object.string("id")?,
        mime_type: object.string("mime_type").unwrap_or_default(),
        sha256: object.string("sha256"),
        caption: object.string("caption"),
        filename: object.string("filename"),
        voice: object.flag("voice"),
    })
}
