//! One element of `messages[]`, or of a list that holds copies of such: who, what, and what it answers (facts §2).

use super::content;
use super::item::ItemKind;
use super::person::{Contact, FROM, Keys, TO, author};
use crate::domain::inbound::{Context, Referral, ReferredProduct};
use crate::domain::{InboundMessage, Source};
use crate::graph::json::Object;

/// What the person wrote to us.
///
/// `None` when it has no id, or belongs to a group: such an element is kept raw. A group's messages must not open or
/// enter the sender's own conversation, where a bot would answer them.
pub(super) fn message(element: &Object<'_>, contacts: &[Contact]) -> Option<ItemKind> {
    read(element, contacts, &FROM, Source::Customer)
}

/// What the person wrote, and another app of the business has the conversation (facts §1.5 `standby`).
pub(super) fn standby(element: &Object<'_>, contacts: &[Contact]) -> Option<ItemKind> {
    read(element, contacts, &FROM, Source::Standby)
}

/// What a human of the business wrote to the person, in the WhatsApp Business app (facts §1.5 `smb_message_echoes`).
pub(super) fn echo(element: &Object<'_>, contacts: &[Contact]) -> Option<ItemKind> {
    read(element, contacts, &TO, Source::Echo)
}

fn read(
    element: &Object<'_>,
    contacts: &[Contact],
    keys: &Keys,
    source: Source,
) -> Option<ItemKind> {
    let wamid = element.string("id")?;
    if element.get("group_id").is_some() {
        return None;
    }
    let author = author(element, keys, contacts);
    let message = InboundMessage {
        content: content::content(element, author.person.as_ref()),
        context: context(element),
        referral: element
            .object("referral")
            .map(|referral| read_referral(&referral)),
        source,
    };
    Some(ItemKind::Message {
        wamid,
        from: author.person,
        profile_name: author.profile_name,
        username: author.username,
        message: Box::new(message),
    })
}

/// What it answers, passes on or asks about (facts §2.4). An edit has its context inside, with the new content.
fn context(element: &Object<'_>) -> Option<Context> {
    let edited = || element.object("edit")?.object("message")?.object("context");
    let context = element.object("context").or_else(edited)?;
    let context = Context {
        id: context.string("id"),
        forwarded: context.flag("forwarded"),
        frequently_forwarded: context.flag("frequently_forwarded"),
        product: context
            .object("referred_product")
            .map(|product| ReferredProduct {
                catalog_id: product.string("catalog_id").unwrap_or_default(),
                retailer_id: product.string("product_retailer_id").unwrap_or_default(),
            }),
    };
    (context != Context::default()).then_some(context)
}

fn read_referral(referral: &Object<'_>) -> Referral {
    let welcome = referral.object("welcome_message");
    Referral {
        source_type: referral.string("source_type"),
        source_id: referral.string("source_id"),
        source_url: referral.string("source_url"),
        headline: referral.string("headline"),
        body: referral.string("body"),
        media_type: referral.string("media_type"),
        ctwa_clid: referral.string("ctwa_clid"),
        welcome_message: welcome.and_then(|welcome| welcome.string("text")),
    }
}
