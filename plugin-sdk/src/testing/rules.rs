//! What the gateway refuses at the call: lengths and counts of `whatsapp-cloud-api.md` §4.3, and which hook may do what.
//!
//! A second telling of the host's rules, so that an author meets them in `cargo test`. Where the two differ the host is
//! right; the rarer rules (characters of template parameters, of emojis) are only there.

use std::collections::BTreeSet;

use super::answer::Effect;
use super::scene::Hook;
use crate::kv::KvError;
use crate::{Button, EffectError, Section};

/// Effects of one turn that the host takes unless told otherwise.
const EFFECTS: usize = 32;

pub(crate) fn check(effect: &Effect, hook: Hook, before: usize) -> Result<(), EffectError> {
    if before >= EFFECTS {
        return Err(EffectError::Quota(format!("{EFFECTS} effects a turn")));
    }
    if hook != Hook::AutoReply && !is_fact(effect) {
        return Err(EffectError::Denied(format!("not in {hook:?}")));
    }
    content(effect).map_err(EffectError::Invalid)
}

fn is_fact(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::SetLanguage(_)
            | Effect::SetAttribute { .. }
            | Effect::AddTag(_)
            | Effect::RemoveTag(_)
    )
}

fn content(effect: &Effect) -> Result<(), String> {
    match effect {
        Effect::Text(body) => words("body", body, 4096),
        Effect::Buttons {
            body,
            footer,
            buttons,
        } => {
            words("body", body, 1024)?;
            words("footer", footer.as_deref().unwrap_or("-"), 60)?;
            check_buttons(buttons)
        }
        Effect::List {
            body,
            button,
            sections,
        } => {
            words("body", body, 4096)?;
            words("button", button, 20)?;
            check_sections(sections)
        }
        Effect::AddTag(tag) | Effect::RemoveTag(tag) => length("tag", tag, 1, 64),
        Effect::HandOver { queue, .. } => length("queue", queue, 1, 64),
        _ => Ok(()),
    }
}

fn check_buttons(buttons: &[Button]) -> Result<(), String> {
    count("buttons", buttons.len(), 1, 3)?;
    for button in buttons {
        words("button id", &button.id, 256)?;
        words("button title", &button.title, 20)?;
    }
    all_differ("button ids", buttons.iter().map(|b| &b.id))?;
    all_differ("button titles", buttons.iter().map(|b| &b.title))
}

fn check_sections(sections: &[Section]) -> Result<(), String> {
    let rows = || sections.iter().flat_map(|section| &section.rows);
    count("sections", sections.len(), 1, 10)?;
    count("rows", rows().count(), 1, 10)?;
    for section in sections {
        if sections.len() > 1 {
            words("section title", &section.title, 24)?;
        }
        length("section title", &section.title, 0, 24)?;
        count("rows of a section", section.rows.len(), 1, 10)?;
    }
    for row in rows() {
        words("row id", &row.id, 200)?;
        words("row title", &row.title, 24)?;
        words(
            "row description",
            row.description.as_deref().unwrap_or("-"),
            72,
        )?;
    }
    all_differ("row ids", rows().map(|row| &row.id))
}

/// What a person reads, or taps: it says something.
fn words(what: &str, text: &str, most: usize) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err(format!("{what}: says nothing"));
    }
    length(what, text, 1, most)
}

fn length(what: &str, text: &str, least: usize, most: usize) -> Result<(), String> {
    let characters = text.chars().count();
    if (least..=most).contains(&characters) {
        return Ok(());
    }
    Err(format!(
        "{what}: {characters} characters, not {least} to {most}"
    ))
}

fn count(what: &str, found: usize, least: usize, most: usize) -> Result<(), String> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(format!("{what}: {found}, not {least} to {most}"))
}

fn all_differ<'a>(what: &str, values: impl Iterator<Item = &'a String>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for value in values {
        if !seen.insert(value) {
            return Err(format!("{what}: `{value}` twice"));
        }
    }
    Ok(())
}

pub(crate) fn check_key(key: &str) -> Result<(), KvError> {
    if key.is_empty() || key.contains('\0') {
        return Err(KvError::Invalid("key: empty or with NUL".to_owned()));
    }
    if key.len() > 256 {
        return Err(KvError::Quota("a key has at most 256 bytes".to_owned()));
    }
    Ok(())
}

pub(crate) fn check_value(value: &[u8]) -> Result<(), KvError> {
    if value.len() > 64 << 10 {
        return Err(KvError::Quota("a value has at most 64 KiB".to_owned()));
    }
    Ok(())
}

pub(crate) fn overflow(key: &str) -> KvError {
    KvError::Invalid(format!("`{key}` overflows"))
}

pub(crate) fn number(key: &str, value: Option<&Vec<u8>>) -> Result<i64, KvError> {
    let Some(bytes) = value else { return Ok(0) };
    let text = std::str::from_utf8(bytes).ok();
    let number = text.and_then(|text| text.parse().ok());
    number.ok_or_else(|| KvError::Invalid(format!("`{key}` is no number")))
}
