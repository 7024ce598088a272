//! A message's content by its `type` (facts §2.2). A type that we do not know, or whose object is missing or odd, is
//! `Other` under its name: nothing of a message is lost because a part of it is strange.

use std::borrow::Cow;

use super::identity;
use crate::domain::inbound::{MediaKind, OrderItem, SharedContact, SharedPhone};
use crate::domain::{InboundContent, OpenWord, PersonRef};
use crate::graph::json::Object;

/// `author`: who sent it, for what speaks of them.
pub(super) fn content(element: &Object<'_>, author: Option<&PersonRef>) -> InboundContent {
    let kind = element.text("type").unwrap_or(Cow::Borrowed("unknown"));
    let typed = match kind.as_ref() {
        "contacts" => contacts(element),
        "request_welcome" => Some(InboundContent::RequestWelcome),
        "unsupported" => Some(unsupported(element)),
        "system" => element
            .object("system")
            .map(|object| identity::system(&object, author)),
        "edit" => element.object("edit").and_then(|object| edit(&object)),
        kind => simple(element, kind),
    };
    typed.unwrap_or_else(|| InboundContent::Other {
        kind: kind.into_owned(),
    })
}

/// Types that hold no other message inside: an edit of an edit of an edit is none.
fn simple(element: &Object<'_>, kind: &str) -> Option<InboundContent> {
    let object = element.object(kind)?;
    match kind {
        "text" => Some(InboundContent::Text {
            body: object.string("body")?,
        }),
        "button" => template_button(&object),
        "interactive" => interactive(&object),
        "reaction" => Some(InboundContent::Reaction {
            message_id: object.string("message_id")?,
            emoji: object.string("emoji").filter(|emoji| !emoji.is_empty()),
        }),
        "image" => media(MediaKind::Image, &object),
        "video" => media(MediaKind::Video, &object),
        // The On-Premises API, and BSPs that grew up with it, call a voice note `voice`.
        "audio" | "voice" => media(MediaKind::Audio, &object),
        "document" => media(MediaKind::Document, &object),
        "sticker" => media(MediaKind::Sticker, &object),
        "location" => location(&object),
        "order" => order(&object),
        "revoke" => Some(InboundContent::Revoke {
            original: object.string("original_message_id")?,
        }),
        kind => other_media(kind, &object),
    }
}

/// A type that we do not know, and a file all the same: it has what all of them have (facts §2.2).
fn other_media(kind: &str, object: &Object<'_>) -> Option<InboundContent> {
    object.string("mime_type")?;
    media(OpenWord::Other(kind.to_ascii_lowercase()), object)
}

fn edit(object: &Object<'_>) -> Option<InboundContent> {
    let message = object.object("message")?;
    let kind = message.text("type").unwrap_or(Cow::Borrowed("unknown"));
    let content = simple(&message, &kind).unwrap_or_else(|| InboundContent::Other {
        kind: kind.into_owned(),
    });
    Some(InboundContent::Edit {
        original: object.string("original_message_id")?,
        content: Box::new(content),
    })
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
        "nfm_reply" => Some(InboundContent::FlowReply {
            name: reply.string("name").unwrap_or_default(),
            body: reply.string("body").unwrap_or_default(),
            response: reply.string("response_json")?,
        }),
        "call_permission_reply" => Some(InboundContent::CallPermission {
            accepted: match reply.text("response")?.as_ref() {
                "accept" => true,
                "reject" => false,
                _ => return None,
            },
            permanent: reply.flag("is_permanent"),
            expires_at: reply.integer("expiration_timestamp"),
            automatic: reply
                .text("response_source")
                .is_some_and(|source| source == "automatic"),
        }),
        _ => None,
    }
}

fn media(kind: impl Into<OpenWord<MediaKind>>, object: &Object<'_>) -> Option<InboundContent> {
    Some(InboundContent::Media {
        kind: kind.into(),
        media_id: object.string("id")?,
        mime_type: object.string("mime_type").unwrap_or_default(),
        sha256: object.string("sha256"),
        caption: object.string("caption"),
        filename: object.string("filename"),
        voice: object.flag("voice"),
    })
}

fn location(object: &Object<'_>) -> Option<InboundContent> {
    Some(InboundContent::Location {
        latitude: object.float("latitude")?,
        longitude: object.float("longitude")?,
        name: object.string("name"),
        address: object.string("address"),
        url: object.string("url"),
    })
}

fn order(object: &Object<'_>) -> Option<InboundContent> {
    let item = |item: Object<'_>| {
        Some(OrderItem {
            retailer_id: item.string("product_retailer_id")?,
            quantity: item.integer("quantity")?,
            price: item.string("item_price").unwrap_or_default(),
            currency: item.string("currency").unwrap_or_default(),
        })
    };
    let items = object.array("product_items");
    let items: Option<Vec<OrderItem>> = items
        .iter()
        .map(|raw| Object::parse(raw.get()).and_then(item))
        .collect();
    Some(InboundContent::Order {
        catalog_id: object.string("catalog_id").unwrap_or_default(),
        text: object.string("text").unwrap_or_default(),
        // An order with a line that we cannot read is no order to act on: all of it stays raw.
        items: items.filter(|items| !items.is_empty())?,
    })
}

/// The marker of an answer to a request stands beside the cards or in them (facts §2.2: shape of 2026, unverified).
fn contacts(element: &Object<'_>) -> Option<InboundContent> {
    let cards: Vec<Object<'_>> = element
        .array("contacts")
        .iter()
        .filter_map(|raw| Object::parse(raw.get()))
        .collect();
    let is_answer = |object: &Object<'_>| {
        object
            .text("origin")
            .is_some_and(|origin| origin == "contact_request")
    };
    let requested = is_answer(element) || cards.iter().any(is_answer);
    (!cards.is_empty()).then(|| InboundContent::Contacts {
        contacts: cards.iter().map(card).collect(),
        requested,
    })
}

fn card(card: &Object<'_>) -> SharedContact {
    let list = |key| {
        card.array(key)
            .into_iter()
            .filter_map(|raw| Object::parse(raw.get()))
    };
    let name = card.object("name");
    SharedContact {
        name: name
            .and_then(|name| name.string("formatted_name"))
            .unwrap_or_default(),
        phones: list("phones")
            .filter_map(|phone| {
                let wa_id = phone.string("wa_id");
                Some(SharedPhone {
                    phone: phone.string("phone").or_else(|| wa_id.clone())?,
                    wa_id,
                })
            })
            .collect(),
        emails: list("emails")
            .filter_map(|email| email.string("email"))
            .collect(),
        company: card.object("org").and_then(|org| org.string("company")),
    }
}

fn unsupported(element: &Object<'_>) -> InboundContent {
    let object = element.object("unsupported");
    InboundContent::Unsupported {
        kind: object.and_then(|object| object.string("type")),
        error: element
            .first("errors")
            .and_then(|error| error.integer("code")),
    }
}
