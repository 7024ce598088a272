//! What the customer gets to see: a menu as text, buttons or a list, an answer, or the way to people.

use vestibule_plugin::{Button, EffectError, Failure, Row, Section, Turn, info};

use crate::place::Place;
use crate::settings::{Item, Node, Settings, Style};
use crate::wish::{Wish, tap_id};

/// WhatsApp's bounds for buttons and lists.
const BUTTONS: usize = 3;
const BUTTON_TITLE: usize = 20;
const ROWS: usize = 10;
const ROW_TITLE: usize = 24;
const ROW_DESCRIPTION: usize = 72;

/// Answers, and says where the customer is now.
pub(crate) fn answer(
    turn: &mut Turn<'_>,
    wish: Wish<'_>,
    here: &Place,
    settings: &Settings,
) -> Result<Place, Failure> {
    match wish {
        Wish::Menu(place) => show(turn, place, "", settings),
        Wish::Item(menu, item) => choose(turn, menu, item, settings),
        // Somebody who only now begins has not been misunderstood.
        Wish::Unknown if turn.conversation().is_new() => show(turn, Place::default(), "", settings),
        Wish::Unknown => show(turn, here.clone(), &settings.not_understood, settings),
    }
}

fn choose(
    turn: &mut Turn<'_>,
    menu: Place,
    item: &Item,
    settings: &Settings,
) -> Result<Place, Failure> {
    info!("chosen: {}", menu.below(&item.key).path());
    if let Some(queue) = &item.hand_over {
        turn.reply_text(item.reply.as_deref().unwrap_or(&settings.handed_over))?;
        turn.hand_over(queue, Some(&format!("Chose “{}” in the menu", item.title)))?;
        return Ok(Place::default());
    }
    if item.submenu.is_some() {
        let said = item.reply.as_deref().unwrap_or_default();
        return show(turn, menu.below(&item.key), said, settings);
    }
    let reply = item.reply.as_deref().unwrap_or(&item.title);
    turn.reply_text(&paragraphs(&[reply, &settings.hint]))?;
    Ok(menu)
}

/// Shows the menu at `place`, after `said`.
pub(crate) fn show<About>(
    turn: &mut Turn<'_, About>,
    place: Place,
    said: &str,
    settings: &Settings,
) -> Result<Place, Failure> {
    let node = place.node(&settings.menu).unwrap_or(&settings.menu);
    let body = paragraphs(&[said, &node.title]);
    let shown = match settings.style {
        Style::Text => Err(EffectError::Invalid(String::new())),
        Style::Buttons => show_choices(turn, &body, node, &place, settings),
    };
    // Text can show what buttons cannot: eleven choices, equal titles.
    if let Err(EffectError::Invalid(_)) = shown {
        turn.reply_text(&as_text(&body, node, &place, settings))?;
    } else {
        shown?;
    }
    Ok(place)
}

fn show_choices<About>(
    turn: &mut Turn<'_, About>,
    body: &str,
    node: &Node,
    place: &Place,
    settings: &Settings,
) -> Result<(), EffectError> {
    let back = back_hint(place, settings);
    let fits = |item: &Item| item.title.chars().count() <= BUTTON_TITLE;
    if node.items.len() <= BUTTONS && node.items.iter().all(fits) {
        let button = |item: &Item| Button::new(tap_id(place, item), &*item.title);
        let buttons: Vec<_> = node.items.iter().map(button).collect();
        let footer = (!back.is_empty()).then_some(back.as_str());
        return turn.reply_buttons(body, footer, &buttons);
    }
    if node.items.len() > ROWS {
        return Err(EffectError::Invalid("too many for a list".to_owned()));
    }
    let section = Section {
        title: String::new(),
        rows: node.items.iter().map(|item| row(place, item)).collect(),
    };
    let body = paragraphs(&[body, &back]);
    turn.reply_list(&body, &settings.list_button, &[section])
}

/// A title too long for a row goes on in its description.
fn row(place: &Place, item: &Item) -> Row {
    let mut row = Row::new(tap_id(place, item), cut(&item.title, ROW_TITLE));
    if row.title != item.title {
        row.description = Some(cut(&item.title, ROW_DESCRIPTION));
    }
    row
}

fn as_text(body: &str, node: &Node, place: &Place, settings: &Settings) -> String {
    let line = |item: &Item| format!("*{}* {}", item.key, item.title);
    let lines: Vec<_> = node.items.iter().map(line).collect();
    paragraphs(&[body, &lines.join("\n"), &back_hint(place, settings)])
}

fn back_hint(place: &Place, settings: &Settings) -> String {
    match settings.back_words.first() {
        Some(word) if !place.is_top() => format!("*{word}*: one step back"),
        _ => String::new(),
    }
}

fn paragraphs(parts: &[&str]) -> String {
    let spoken = parts.iter().copied().filter(|part| !part.is_empty());
    spoken.collect::<Vec<_>>().join("\n\n")
}

/// At most `most` characters, the last of them `…` if something was cut.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most - 1).collect();
    format!("{}…", kept.trim_end())
}
