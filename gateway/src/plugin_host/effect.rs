//! Effects: what a plugin wants to happen, in the words of the domain, checked at the call.
//!
//! A reply is well formed by its type: the domain's builders made it (`capability/effects.rs`), by the limits that
//! `policy` asks again. Whether it may go out is decided later; what could never be sent or stored is refused at once, so
//! that its author learns.

use serde::{Deserialize, Serialize};

use crate::domain::outbound::WellFormed;

use super::hook::Hook;
use super::limits;
use super::request::ConversationView;

/// Everything a plugin can cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// Text, buttons, a list or a template.
    Reply {
        content: WellFormed,
    },
    /// An emoji on the turn's message; empty removes it. The pipeline knows the message's wamid.
    React {
        emoji: String,
    },
    MarkRead {
        typing: bool,
    },
    SetLanguage {
        language: String,
    },
    SetAttribute {
        key: String,
        value: String,
    },
    AddTag {
        tag: String,
    },
    RemoveTag {
        tag: String,
    },
    /// Give the conversation to the people of a queue.
    HandOver {
        queue: String,
        note: Option<String>,
    },
    Close,
}

/// Why an effect was not taken. A value the guest sees, never a trap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectRefused {
    Invalid(String),
    Quota(String),
    Denied(String),
}

impl Effect {
    /// After such an effect no further plugin is asked to reply.
    pub fn answers(&self) -> bool {
        matches!(
            self,
            Self::Reply { .. } | Self::HandOver { .. } | Self::Close
        )
    }

    /// Facts may be set by every hook; to speak and to act is for `auto-reply`.
    fn allowed_in(&self, hook: Hook) -> bool {
        let fact = matches!(
            self,
            Self::SetLanguage { .. }
                | Self::SetAttribute { .. }
                | Self::AddTag { .. }
                | Self::RemoveTag { .. }
        );
        fact || hook == Hook::AutoReply
    }

    /// Stable word for logs, metrics and pages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Reply { content } => content.kind(),
            Self::React { .. } => "react",
            Self::MarkRead { .. } => "mark_read",
            Self::SetLanguage { .. } => "set_language",
            Self::SetAttribute { .. } => "set_attribute",
            Self::AddTag { .. } => "add_tag",
            Self::RemoveTag { .. } => "remove_tag",
            Self::HandOver { .. } => "hand_over",
            Self::Close => "close",
        }
    }

    /// May this effect be kept, asked for by `hook` with `conversation` as it stands?
    pub(super) fn check(
        &self,
        hook: Hook,
        conversation: &ConversationView,
    ) -> Result<(), EffectRefused> {
        if !self.allowed_in(hook) {
            let kind = self.kind();
            return Err(EffectRefused::Denied(format!("{kind} is not for {hook}")));
        }
        self.check_shape().map_err(EffectRefused::Invalid)?;
        self.check_room(conversation).map_err(EffectRefused::Quota)
    }

    fn check_shape(&self) -> Result<(), String> {
        match self {
            Self::React { emoji } => check_emoji(emoji),
            Self::SetLanguage { language } => check_language(language),
            Self::SetAttribute { key, value } => {
                check_name("key", key)?;
                length("value", value, 0, 1024)
            }
            Self::AddTag { tag } | Self::RemoveTag { tag } => check_name("tag", tag),
            Self::HandOver { queue, note } => {
                check_name("queue", queue)?;
                note.as_deref()
                    .map_or(Ok(()), |note| length("note", note, 0, 1024))
            }
            Self::Reply { .. } | Self::MarkRead { .. } | Self::Close => Ok(()),
        }
    }

    fn check_room(&self, conversation: &ConversationView) -> Result<(), String> {
        let ConversationView {
            attributes, tags, ..
        } = conversation;
        match self {
            Self::SetAttribute { key, .. }
                if !attributes.contains_key(key) && attributes.len() >= limits::ATTRIBUTES =>
            {
                Err(format!("more than {} attributes", limits::ATTRIBUTES))
            }
            Self::AddTag { tag } if !tags.contains(tag) && tags.len() >= limits::TAGS => {
                Err(format!("more than {} tags", limits::TAGS))
            }
            _ => Ok(()),
        }
    }

    /// What later hooks of the turn see of it.
    pub(super) fn apply_to(&self, conversation: &mut ConversationView) {
        match self {
            Self::SetLanguage { language } => conversation.language = Some(language.clone()),
            Self::SetAttribute { key, value } => {
                conversation.attributes.insert(key.clone(), value.clone());
            }
            Self::AddTag { tag } => {
                conversation.tags.insert(tag.clone());
            }
            Self::RemoveTag { tag } => {
                conversation.tags.remove(tag);
            }
            _ => {}
        }
    }

    /// Does later hooks' view of the conversation change?
    pub(super) fn is_fact(&self) -> bool {
        self.allowed_in(Hook::Enrichment)
    }
}

/// Is `name` a queue that routing may name?
pub(super) fn check_queue(name: &str) -> Result<(), String> {
    check_name("queue", name)
}

fn check_emoji(emoji: &str) -> Result<(), String> {
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

fn check_language(language: &str) -> Result<(), String> {
    length("language", language, 2, 35)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !language.chars().all(fits) {
        return Err("language: not a BCP 47 tag".to_owned());
    }
    Ok(())
}

/// Names of attributes, tags and queues: short and without control characters.
fn check_name(field: &str, name: &str) -> Result<(), String> {
    length(field, name, 1, 64)?;
    if name.chars().any(char::is_control) {
        return Err(format!("{field}: no control characters"));
    }
    Ok(())
}

/// Counts code points. NUL is refused everywhere: PostgreSQL's TEXT cannot hold it.
fn length(field: &str, text: &str, least: usize, most: usize) -> Result<(), String> {
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

#[cfg(test)]
mod tests;
