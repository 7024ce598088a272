//! One element of `user_preferences[]`: what a person chose in WhatsApp itself about this business's marketing (facts
//! §1.5).

use super::item::{ItemKind, MarketingChoice};
use super::person::{CONTACT, person};
use crate::graph::json::Object;

/// `None` for what is no choice about marketing (`signup`, other categories), and when nobody is named.
pub(super) fn preference(element: &Object<'_>) -> Option<ItemKind> {
    let category = element.text("category");
    if category.is_some_and(|category| category != "marketing_messages") {
        return None;
    }
    let choice = match element.text("value")?.as_ref() {
        "stop" => MarketingChoice::Stop,
        "resume" => MarketingChoice::Resume,
        _ => return None,
    };
    Some(ItemKind::Preference {
        person: person(element, &CONTACT)?,
        choice,
    })
}
