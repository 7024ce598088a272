//! What the gateway refuses at the call: lengths and counts of `whatsapp-cloud-api.md` §4.3, and which hook may do what.
//!
//! A second telling of the host's rules, so that an author meets them in `cargo test`. Where the two differ the host is
//! right; the rarer rules (characters of template parameters, of emojis) are only there.

use std::collections::BTreeSet;

use super::scene::Hook;
use crate::content::Content;
use crate::kv::KvError;
use crate::{Button, Effect, EffectError, Field, Purpose, Receiver, Section, Value};

/// Effects of one turn that the host takes unless told otherwise.
const EFFECTS: usize = 32;

pub(crate) fn check(
    effect: &Effect,
    hook: Hook,
    before: usize,
    heard: &str,
) -> Result<(), EffectError> {
    if before >= EFFECTS {
        return Err(EffectError::Quota(format!("{EFFECTS} effects a turn")));
    }
    if !allowed(effect, hook) {
        return Err(EffectError::Denied(format!("not in {hook:?}")));
    }
    shape(effect, heard).map_err(EffectError::Invalid)
}

fn allowed(effect: &Effect, hook: Hook) -> bool {
    let has_message = matches!(hook, Hook::Enrichment | Hook::Routing | Hook::AutoReply);
    let acts = matches!(hook, Hook::AutoReply | Hook::OnEvent | Hook::OnTimer);
    match effect {
        Effect::React(_) | Effect::MarkRead { .. } | Effect::OptIn { .. } => {
            hook == Hook::AutoReply
        }
        Effect::OptOut(_) => has_message,
        Effect::Say { quote, purpose, .. } => {
            let answers = *quote || *purpose == Some(Purpose::Reply);
            acts && (has_message || !answers)
        }
        Effect::HandOver { .. } => acts || hook == Hook::Routing,
        Effect::Close | Effect::SetTimer { .. } | Effect::CancelTimer(_) => acts,
        _ => true,
    }
}

fn shape(effect: &Effect, heard: &str) -> Result<(), String> {
    match effect {
        Effect::Say { content, .. } => said(content),
        Effect::AddTag(tag) | Effect::RemoveTag(tag) => length("tag", tag, 1, 64),
        Effect::HandOver { to, .. } => match to {
            Receiver::Queue(name) | Receiver::Agent(name) => length("name", name, 1, 64),
        },
        Effect::SetAttribute { key, value } => {
            length("key", key, 1, 64)?;
            check_attribute(value)
        }
        Effect::SetContactAttribute { key, value } => {
            length("key", key, 1, 64)?;
            value.as_ref().map_or(Ok(()), check_attribute)
        }
        Effect::Note(text) => length("text", text, 1, 1024),
        Effect::Metric { name, value } => {
            check_name(name)?;
            match value.is_finite() {
                true => Ok(()),
                false => Err("value: not finite".to_owned()),
            }
        }
        Effect::Emit { name, fields } => {
            check_name(name)?;
            check_fields(fields)
        }
        Effect::SetTimer { name, fields, .. } => {
            length("name", name, 1, 64)?;
            check_fields(fields)
        }
        Effect::OptIn { words } if words.trim().is_empty() || !heard.contains(words.as_str()) => {
            Err("words: they do not stand in this turn's message".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_fields(fields: &[Field]) -> Result<(), String> {
    count("fields", fields.len(), 0, 32)?;
    fields.iter().try_for_each(|field| {
        length("name", &field.name, 1, 64)?;
        check_attribute(&field.value)
    })
}

fn check_attribute(value: &Value) -> Result<(), String> {
    match value {
        Value::Text(text) => length("value", text, 0, 1024),
        Value::Number(number) if !number.is_finite() => Err("value: not finite".to_owned()),
        Value::Items(items) => count("value", items.len(), 0, 100),
        Value::Other(_) => Err("value: `other` is told and never set".to_owned()),
        _ => Ok(()),
    }
}

/// Of metrics and events.
fn check_name(name: &str) -> Result<(), String> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match (1..=64).contains(&name.len()) && name.chars().all(fine) {
        true => Ok(()),
        false => Err(format!("name: `{}`", name.escape_debug())),
    }
}

fn said(content: &Content) -> Result<(), String> {
    match content {
        Content::Text { body, .. } => words("body", body, 4096),
        Content::Buttons {
            body,
            footer,
            buttons,
            ..
        } => {
            words("body", body, 1024)?;
            words("footer", footer.as_deref().unwrap_or("-"), 60)?;
            check_buttons(buttons)
        }
        Content::List {
            body,
            button,
            sections,
            ..
        } => {
            words("body", body, 4096)?;
            words("button", button, 20)?;
            check_sections(sections)
        }
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
