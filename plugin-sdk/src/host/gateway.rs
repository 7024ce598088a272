//! The host inside Wasm: the contract's imports, translated into this crate's types.

use crate::bindings::host::vestibule::plugin::{
    clock, config, effects, inbound, kv, log, outcome, random,
};
use crate::kv::KvError;
use crate::log::Level;
use crate::{Button, EffectError, Failure, Kind, Row, Section, TemplateParameter};

pub(crate) use inbound::{Conversation, Message};

type Effect = Result<(), EffectError>;

pub(crate) fn kind(message: &Message) -> Kind {
    match message.kind() {
        inbound::Kind::Text => Kind::Text,
        inbound::Kind::Button => Kind::Button,
        inbound::Kind::ListChoice => Kind::ListChoice,
        inbound::Kind::Media => Kind::Media,
        inbound::Kind::Reaction => Kind::Reaction,
        inbound::Kind::Other => Kind::Other,
    }
}

pub(crate) fn reply_text(body: &str) -> Effect {
    Ok(effects::reply_text(body)?)
}

pub(crate) fn reply_buttons(body: &str, footer: Option<&str>, buttons: &[Button]) -> Effect {
    let button = |b: &Button| effects::Button {
        id: b.id.clone(),
        title: b.title.clone(),
    };
    let buttons: Vec<_> = buttons.iter().map(button).collect();
    Ok(effects::reply_buttons(body, footer, &buttons)?)
}

pub(crate) fn reply_list(body: &str, button: &str, sections: &[Section]) -> Effect {
    let row = |r: &Row| effects::Row {
        id: r.id.clone(),
        title: r.title.clone(),
        description: r.description.clone(),
    };
    let section = |s: &Section| effects::Section {
        title: s.title.clone(),
        rows: s.rows.iter().map(row).collect(),
    };
    let sections: Vec<_> = sections.iter().map(section).collect();
    Ok(effects::reply_list(body, button, &sections)?)
}

pub(crate) fn reply_template(
    name: &str,
    language: &str,
    parameters: &[TemplateParameter],
) -> Effect {
    let parameter = |p: &TemplateParameter| effects::TemplateParameter {
        name: p.name.clone(),
        value: p.value.clone(),
    };
    let parameters: Vec<_> = parameters.iter().map(parameter).collect();
    Ok(effects::reply_template(name, language, &parameters)?)
}

pub(crate) fn react(emoji: &str) -> Effect {
    Ok(effects::react(emoji)?)
}

pub(crate) fn mark_read(typing: bool) -> Effect {
    Ok(effects::mark_read(typing)?)
}

pub(crate) fn set_language(language: &str) -> Effect {
    Ok(effects::set_language(language)?)
}

pub(crate) fn set_attribute(key: &str, value: &str) -> Effect {
    Ok(effects::set_attribute(key, value)?)
}

pub(crate) fn add_tag(tag: &str) -> Effect {
    Ok(effects::add_tag(tag)?)
}

pub(crate) fn remove_tag(tag: &str) -> Effect {
    Ok(effects::remove_tag(tag)?)
}

pub(crate) fn hand_over(queue: &str, note: Option<&str>) -> Effect {
    Ok(effects::hand_over(queue, note)?)
}

pub(crate) fn close() -> Effect {
    Ok(effects::close()?)
}

pub(crate) fn log(level: Level, line: &str) {
    let level = match level {
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
        Level::Error => log::Level::Error,
    };
    log::write(level, line);
}

pub(crate) fn now() -> u64 {
    clock::now()
}

pub(crate) fn random_u64() -> u64 {
    random::next_u64()
}

pub(crate) fn random_bytes(len: u32) -> Vec<u8> {
    random::bytes(len)
}

pub(crate) fn config_get(key: &str) -> Option<String> {
    config::get(key)
}

pub(crate) fn config_all() -> String {
    config::all()
}

pub(crate) fn kv_get(key: &str) -> Result<Option<Vec<u8>>, KvError> {
    Ok(kv::get(key)?)
}

pub(crate) fn kv_set(key: &str, value: &[u8]) -> Result<(), KvError> {
    Ok(kv::set(key, value)?)
}

pub(crate) fn kv_delete(key: &str) -> Result<(), KvError> {
    Ok(kv::delete(key)?)
}

pub(crate) fn kv_add(key: &str, delta: i64) -> Result<(), KvError> {
    Ok(kv::add(key, delta)?)
}

impl From<effects::EffectError> for EffectError {
    fn from(error: effects::EffectError) -> Self {
        match error {
            effects::EffectError::Invalid(what) => Self::Invalid(what),
            effects::EffectError::Quota(what) => Self::Quota(what),
            effects::EffectError::Denied(what) => Self::Denied(what),
        }
    }
}

impl From<kv::KvError> for KvError {
    fn from(error: kv::KvError) -> Self {
        match error {
            kv::KvError::Denied => Self::Denied,
            kv::KvError::Quota(what) => Self::Quota(what),
            kv::KvError::Invalid(what) => Self::Invalid(what),
            kv::KvError::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

impl From<Failure> for outcome::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Reject(why) => Self::Reject(why),
            Failure::Retry(after) => {
                Self::Retry(u32::try_from(after.as_millis()).unwrap_or(u32::MAX))
            }
            Failure::Fault(why) => Self::Fault(why),
        }
    }
}
