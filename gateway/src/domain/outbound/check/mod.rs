//! What WhatsApp takes: the lengths and counts of §4.3, in Unicode code points, and the forms of §4.2, §4.4 and §5.
//!
//! One reading for everybody who asks: builders, plugins' effects and `policy`'s gate. Nothing here knows the person,
//! the number or the template at Meta.

pub(super) mod parameter;

mod commerce;
mod interactive;
mod media;
mod template;

use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;

use super::card::ContactCard;
use super::malformed::{Checked, Fault, Malformed};
use super::{OutboundContent, Place};

impl OutboundContent {
    /// Is it something that WhatsApp takes? Says the first thing that is wrong.
    pub fn check(&self) -> Result<(), Malformed> {
        match self {
            Self::Text { body, .. } => text("body", body, 4096),
            Self::Image(media) | Self::Video(media) => media::captioned(media),
            Self::Audio(audio) => media::source(&audio.source),
            Self::Document(document) => media::document(document),
            Self::Sticker(sticker) => media::source(&sticker.source),
            Self::Location(place) => self::place(place),
            Self::Contacts { contacts } => {
                count("contacts", contacts.len(), 1, 257)?;
                each("contacts", contacts, card)
            }
            // An empty emoji takes the reaction back.
            Self::Reaction { message_id, emoji } => {
                filled("message_id", message_id)?;
                self::emoji(emoji)
            }
            Self::MarkRead { message_id, .. } => filled("message_id", message_id),
            Self::Template(template) => template::check(template),
            Self::Product(product) => commerce::product(product),
            Self::ProductList(list) => commerce::product_list(list),
            Self::CatalogMessage(catalog) => commerce::catalog(catalog),
            Self::ProductCarousel(carousel) => commerce::carousel(carousel),
            interactive => interactive::check(interactive),
        }
    }
}

fn card(card: &ContactCard) -> Checked {
    let name = &card.name;
    filled("name.formatted_name", &name.formatted_name)?;
    let parts = [
        &name.first_name,
        &name.middle_name,
        &name.last_name,
        &name.prefix,
        &name.suffix,
    ];
    let part = |part: &&Option<String>| part.as_deref().is_some_and(|text| !is_blank(text));
    if !parts.iter().any(part) {
        let form = "given with one more part of the name, such as `first_name`";
        return Err(Malformed::new("name.formatted_name", Fault::Form(form)).cited("§4.2"));
    }
    each("phones", &card.phones, |phone| {
        // Meta offers to write to a card's number only when it is told the WhatsApp account.
        match (&phone.phone, &phone.wa_id) {
            (None, None) => Err(Malformed::new("phone", Fault::Empty).cited("§4.2")),
            _ => Ok(()),
        }
    })
}

fn place(place: &Place) -> Checked {
    optional_filled("name", place.name.as_deref())?;
    optional_filled("address", place.address.as_deref())
}

/// The longest sequence in use (a family with skin tones) has 10 code points. No limit of Meta's is known.
fn emoji(emoji: &str) -> Checked {
    at_most("emoji", emoji, 16).map_err(|malformed| malformed.cited("§4.2"))?;
    if emoji
        .chars()
        .any(|c| c.is_ascii_alphabetic() || c.is_whitespace() || c.is_control())
    {
        return Err(Malformed::new("emoji", Fault::Form("one emoji")).cited("§4.2"));
    }
    Ok(())
}

/// Text that must be there and fit.
fn text(field: &str, value: &str, most: usize) -> Checked {
    filled(field, value)?;
    at_most(field, value, most)
}

/// Text that fits, if it is there; when it is, it says something.
fn optional(field: &str, value: Option<&str>, most: usize) -> Checked {
    value.map_or(Ok(()), |value| text(field, value, most))
}

fn filled(field: &str, value: &str) -> Checked {
    if is_blank(value) {
        return Err(Malformed::new(field, Fault::Empty));
    }
    if value.contains('\0') {
        return Err(Malformed::new(field, Fault::Form("text without NUL")));
    }
    Ok(())
}

fn optional_filled(field: &str, value: Option<&str>) -> Checked {
    value.map_or(Ok(()), |value| filled(field, value))
}

fn at_most(field: &str, value: &str, most: usize) -> Checked {
    if longer_than(value, most) {
        return Err(Malformed::new(field, Fault::TooLong { most }));
    }
    Ok(())
}

fn is_blank(value: &str) -> bool {
    value.trim().is_empty()
}

/// Counts code points only where the bytes do not already settle it.
fn longer_than(value: &str, most: usize) -> bool {
    value.len() > most && (value.len() > most * 4 || value.chars().count() > most)
}

fn count(field: &str, found: usize, least: usize, most: usize) -> Checked {
    if !(least..=most).contains(&found) {
        return Err(Malformed::new(field, Fault::Count { least, most }));
    }
    Ok(())
}

/// Checks every item; the fault of one says which.
pub(super) fn each<T>(field: &str, items: &[T], check: impl Fn(&T) -> Checked) -> Checked {
    for (index, item) in items.iter().enumerate() {
        check(item).map_err(|malformed| malformed.within(format_args!("{field}[{index}]")))?;
    }
    Ok(())
}

fn inside(outer: impl Display, checked: Checked) -> Checked {
    checked.map_err(|malformed| malformed.within(outer))
}

fn unique<T: Eq + Hash>(field: &str, mut values: impl Iterator<Item = T>) -> Checked {
    let mut seen = HashSet::new();
    if values.all(|value| seen.insert(value)) {
        return Ok(());
    }
    Err(Malformed::new(field, Fault::NotUnique))
}

/// An address that a phone opens or Meta fetches.
fn web_address(field: &str, url: &str) -> Checked {
    let scheme = |scheme: &str| {
        let head = url.get(..scheme.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(scheme)) && url.len() > scheme.len()
    };
    let clean = !url.chars().any(|c| c.is_whitespace() || c.is_control());
    if clean && (scheme("https://") || scheme("http://")) {
        return Ok(());
    }
    let form = "an address that begins with https:// or http:// and has no spaces";
    Err(Malformed::new(field, Fault::Form(form)).cited("§4.2"))
}
