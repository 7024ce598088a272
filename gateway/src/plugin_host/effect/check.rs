//! The rules of effects: who may ask for what, and of which shape it must be.

use std::time::Duration;

use super::{Effect, EffectRefused};
use crate::domain::attribute::{self, AttributeValue, FIELDS_MOST, Fields};
use crate::domain::occasion::is_event_name;
use crate::domain::{DraftClass, Owner, Timestamp};
use crate::plugin_host::hook::Hook;
use crate::plugin_host::limits;
use crate::plugin_host::request::{ContactKinds, ConversationView};

/// Who asks, and what he sees.
pub(in crate::plugin_host) struct Asker<'a> {
    pub hook: Hook,
    /// Its contract lets routing hand over.
    pub routes: bool,
    pub bot_owns: bool,
    /// The conversation with all that was asked for before.
    pub becoming: &'a ConversationView,
    pub contact_kinds: &'a ContactKinds,
    /// The words of the turn's message.
    pub heard: &'a str,
    pub now: Timestamp,
}

type Problem = Result<(), String>;

impl Effect {
    /// May this effect be kept?
    pub(in crate::plugin_host) fn check(&self, asker: &Asker<'_>) -> Result<(), EffectRefused> {
        let (kind, hook) = (self.kind(), asker.hook);
        if !self.allowed_in(hook, asker.routes) {
            return Err(EffectRefused::Denied(format!("{kind} is not for {hook}")));
        }
        // Who asks an enrichment plugin knows; an event comes whoever has the conversation.
        if !asker.bot_owns && !self.is_for_all() && !matches!(self, Self::OptOut { .. }) {
            let why = format!("{kind} while the bot does not have the conversation");
            return Err(EffectRefused::Denied(why));
        }
        self.check_purpose(hook)?;
        self.check_shape(asker).map_err(EffectRefused::Invalid)?;
        self.check_room(asker.becoming)
            .map_err(EffectRefused::Quota)
    }

    fn check_purpose(&self, hook: Hook) -> Result<(), EffectRefused> {
        let Self::Reply { quote, purpose, .. } = self else {
            return Ok(());
        };
        let answers = *quote || *purpose == Some(DraftClass::Reply);
        match answers && !hook.has_message() {
            true => Err(EffectRefused::Denied(format!(
                "{hook} has no message to quote or to reply to"
            ))),
            false => Ok(()),
        }
    }

    fn check_shape(&self, asker: &Asker<'_>) -> Problem {
        match self {
            Self::React { emoji } => check_emoji(emoji),
            Self::SetLanguage { language } => check_language(language),
            Self::SetAttribute { key, value } => {
                check_name("key", key)?;
                check_own(key)?;
                check_value("value", value)
            }
            Self::RemoveAttribute { key } => {
                check_name("key", key)?;
                check_own(key)
            }
            Self::SetContactAttribute { key, value } => {
                check_contact_value(key, value.as_ref(), asker.contact_kinds)
            }
            Self::AddTag { tag } | Self::RemoveTag { tag } => check_name("tag", tag),
            Self::Note { text } => length("text", text, 1, 1024),
            Self::Metric { name, .. } => check_event_name(name),
            Self::Emit { name, fields } => {
                check_event_name(name)?;
                check_fields(fields)
            }
            Self::HandOver { to, note } => {
                match to {
                    Owner::Agent(name) => check_agent(name)?,
                    other => check_queue(other.name())?,
                }
                note.as_deref()
                    .map_or(Ok(()), |note| length("note", note, 0, 1024))
            }
            Self::SetTimer {
                name,
                due_at,
                fields,
            } => {
                check_name("name", name)?;
                check_fields(fields)?;
                match *due_at > asker.now.plus(TIMER_AHEAD) {
                    true => Err("due: in 366 days at the latest".to_owned()),
                    false => Ok(()),
                }
            }
            Self::CancelTimer { name } => check_name("name", name),
            Self::OptIn { words } => check_evidence(words, asker.heard),
            Self::Reply { .. } | Self::MarkRead { .. } | Self::Close | Self::OptOut { .. } => {
                Ok(())
            }
        }
    }

    fn check_room(&self, conversation: &ConversationView) -> Problem {
        let ConversationView {
            attributes, tags, ..
        } = conversation;
        match self {
            Self::SetAttribute { key, .. }
                if !attributes.contains_key(key) && attributes.len() >= limits::ATTRIBUTES =>
            {
                Err(format!("more than {} attributes", limits::ATTRIBUTES))
            }
            Self::SetAttribute { key, value } => {
                let others = attributes.iter().filter(|(other, _)| *other != key);
                let bytes: usize = others.map(|(key, value)| key.len() + value.bytes()).sum();
                match bytes + key.len() + value.bytes() > limits::ATTRIBUTE_BYTES {
                    true => Err(format!(
                        "more than {} bytes of attributes",
                        limits::ATTRIBUTE_BYTES
                    )),
                    false => Ok(()),
                }
            }
            Self::AddTag { tag } if !tags.contains(tag) && tags.len() >= limits::TAGS => {
                Err(format!("more than {} tags", limits::TAGS))
            }
            _ => Ok(()),
        }
    }
}

/// The furthest a timer may lie ahead.
const TIMER_AHEAD: Duration = Duration::from_secs(366 * 86_400);

/// The gateway tells things by attributes of its own.
fn check_own(key: &str) -> Problem {
    match key.starts_with("vestibule.") {
        true => Err("key: `vestibule.` is the gateway's own".to_owned()),
        false => Ok(()),
    }
}

fn check_contact_value(key: &str, value: Option<&AttributeValue>, kinds: &ContactKinds) -> Problem {
    let kind = kinds
        .get(key)
        .ok_or_else(|| "key: the tenant has defined no such attribute of contacts".to_owned())?;
    let Some(value) = value else { return Ok(()) };
    check_value("value", value)?;
    let complaint = kind.complaint(&value.plain());
    complaint.map_or(Ok(()), |problem| Err(format!("value: {problem}")))
}

fn check_value(field: &str, value: &AttributeValue) -> Problem {
    value
        .problem()
        .map_or(Ok(()), |wanted| Err(format!("{field}: not {wanted}")))
}

fn check_fields(fields: &Fields) -> Problem {
    if fields.len() > FIELDS_MOST {
        return Err(format!("fields: at most {FIELDS_MOST}"));
    }
    let bytes: usize = fields.iter().map(|(name, v)| name.len() + v.bytes()).sum();
    if bytes > limits::FIELDS_BYTES {
        return Err(format!("fields: at most {} bytes", limits::FIELDS_BYTES));
    }
    for (name, value) in fields {
        check_name("field", name)?;
        check_value("field", value)?;
    }
    Ok(())
}

/// Consent is given by the customer's own words, and by no plugin's.
fn check_evidence(words: &str, heard: &str) -> Problem {
    length("words", words, 1, 1000)?;
    match !words.trim().is_empty() && heard.contains(words) {
        true => Ok(()),
        false => Err("words: they do not stand in this turn's message".to_owned()),
    }
}

fn check_event_name(name: &str) -> Problem {
    match is_event_name(name) {
        true => Ok(()),
        false => {
            Err("name: 1 to 64 letters, digits, dots, dashes and underscores of ASCII".to_owned())
        }
    }
}

/// Is `name` a queue that routing may name?
pub(in crate::plugin_host) fn check_queue(name: &str) -> Problem {
    check_name("queue", name)
}

pub(in crate::plugin_host) fn check_agent(name: &str) -> Problem {
    check_name("agent", name)
}

fn check_emoji(emoji: &str) -> Problem {
    // The longest sequence in use (a family with skin tones) has 10 code points.
    length("emoji", emoji, 0, 16)?;
    if emoji
        .chars()
        .any(|c| c.is_ascii_alphabetic() || c.is_whitespace())
    {
        return Err("emoji: not an emoji".to_owned());
    }
    Ok(())
}

fn check_language(language: &str) -> Problem {
    length("language", language, 2, 35)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !language.chars().all(fits) {
        return Err("language: not a BCP 47 tag".to_owned());
    }
    Ok(())
}

/// Names of attributes, tags and queues: short and without control characters.
fn check_name(field: &str, name: &str) -> Problem {
    attribute::name_problem(name).map_or(Ok(()), |wanted| Err(format!("{field}: not {wanted}")))
}

/// Counts code points. NUL is refused everywhere: PostgreSQL's TEXT cannot hold it.
fn length(field: &str, text: &str, least: usize, most: usize) -> Problem {
    if text.contains('\0') {
        return Err(format!("{field}: contains NUL"));
    }
    // A character has at most four bytes: a text far too long is not counted.
    let chars = if text.len() > most * 4 {
        most + 1
    } else {
        text.chars().count()
    };
    match chars {
        chars if chars < least => Err(format!("{field}: at least {least} characters")),
        chars if chars > most => Err(format!("{field}: at most {most} characters")),
        _ => Ok(()),
    }
}
