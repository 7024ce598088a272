//! What the customer wants, from what was typed or tapped.

use vestibule_plugin::Message;

use crate::place::Place;
use crate::settings::{Item, Settings};

/// Before the path of an item in the id of its button or row. Paths are absolute, so a tap on an old menu still leads
/// where its title says.
const TAP: &str = "menu/";

/// What a message asks for.
pub(crate) enum Wish<'a> {
    /// To see the menu at a place.
    Menu(Place),
    /// An item, and the menu that it is in.
    Item(Place, &'a Item),
    Unknown,
}

impl<'a> Wish<'a> {
    /// Understands a message of a customer who is `here`.
    pub(crate) fn of(message: &Message<'_>, here: &Place, settings: &'a Settings) -> Self {
        let tapped = message.payload().and_then(|id| tapped(&id, settings));
        tapped.unwrap_or_else(|| typed(&message.text(), here, settings))
    }
}

fn tapped<'a>(id: &str, settings: &'a Settings) -> Option<Wish<'a>> {
    let place = Place::parse(id.strip_prefix(TAP)?);
    let item = place.item(&settings.menu)?;
    Some(Wish::Item(place.up(), item))
}

/// The id of an item's button or row.
pub(crate) fn tap_id(menu: &Place, item: &Item) -> String {
    format!("{TAP}{}", menu.below(&item.key).path())
}

fn typed<'a>(text: &str, here: &Place, settings: &'a Settings) -> Wish<'a> {
    let node = here.node(&settings.menu).unwrap_or(&settings.menu);
    let items = &node.items;
    // Keys first: a tenant may give `*` or `#` a meaning.
    let exact = items.iter().find(|item| item.key == text.trim());
    let plain = plain(text);
    let is = |word: &str| !plain.is_empty() && self::plain(word) == plain;
    let meant = exact.or_else(|| items.iter().find(|item| is(&item.key) || is(&item.title)));
    if let Some(item) = meant {
        return Wish::Item(here.clone(), item);
    }
    if settings.menu_words.iter().any(|word| is(word)) {
        return Wish::Menu(Place::default());
    }
    if settings.back_words.iter().any(|word| is(word)) {
        return Wish::Menu(here.up());
    }
    Wish::Unknown
}

/// Lower case, without what people put around a choice: `1.`, `(1)`, `"Menu"!`, and the digit as an emoji.
fn plain(text: &str) -> String {
    let keycap = |c: &char| !matches!(c, '\u{fe0f}' | '\u{20e3}');
    let text: String = text.chars().filter(keycap).collect();
    text.trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase()
}
