//! The host of native tests: the same functions as in Wasm, over the running [`Scene`].

use super::answer::Effect;
use super::memory::TurnMemory;
use super::rules;
use super::scene::{Scene, with};
use crate::kv::KvError;
use crate::log::Level;
use crate::{Button, EffectError, Kind, Section, TemplateParameter};

type Asked = Result<(), EffectError>;

/// The scripted message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) text: String,
    pub(crate) payload: Option<String>,
    pub(crate) sent_at: u64,
    pub(crate) raw: String,
}

impl Message {
    pub(crate) fn id(&self) -> String {
        self.id.clone()
    }
    pub(crate) fn text(&self) -> String {
        self.text.clone()
    }
    pub(crate) fn payload(&self) -> Option<String> {
        self.payload.clone()
    }
    pub(crate) fn sent_at(&self) -> u64 {
        self.sent_at
    }
    pub(crate) fn raw(&self) -> String {
        self.raw.clone()
    }
}

/// The scripted conversation.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    pub(crate) id: String,
    pub(crate) display_name: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) attributes: std::collections::BTreeMap<String, String>,
    pub(crate) tags: std::collections::BTreeSet<String>,
    pub(crate) is_new: bool,
}

impl Conversation {
    pub(crate) fn id(&self) -> String {
        self.id.clone()
    }
    pub(crate) fn contact(&self) -> String {
        self.id.replacen("cnv", "con", 1)
    }
    pub(crate) fn display_name(&self) -> Option<String> {
        self.display_name.clone()
    }
    pub(crate) fn language(&self) -> Option<String> {
        self.language.clone()
    }
    pub(crate) fn attribute(&self, key: &str) -> Option<String> {
        self.attributes.get(key).cloned()
    }
    pub(crate) fn tags(&self) -> Vec<String> {
        self.tags.iter().cloned().collect()
    }
    pub(crate) fn is_new(&self) -> bool {
        self.is_new
    }
}

pub(crate) fn kind(message: &Message) -> Kind {
    message.kind
}

fn ask(effect: Effect) -> Asked {
    with(|scene| {
        let before = scene.kept.len() + scene.effects.len();
        rules::check(&effect, scene.hook, before)?;
        scene.effects.push(effect);
        Ok(())
    })
}

pub(crate) fn reply_text(body: &str) -> Asked {
    ask(Effect::Text(body.to_owned()))
}

pub(crate) fn reply_buttons(body: &str, footer: Option<&str>, buttons: &[Button]) -> Asked {
    ask(Effect::Buttons {
        body: body.to_owned(),
        footer: footer.map(str::to_owned),
        buttons: buttons.to_vec(),
    })
}

pub(crate) fn reply_list(body: &str, button: &str, sections: &[Section]) -> Asked {
    ask(Effect::List {
        body: body.to_owned(),
        button: button.to_owned(),
        sections: sections.to_vec(),
    })
}

pub(crate) fn reply_template(
    name: &str,
    language: &str,
    parameters: &[TemplateParameter],
) -> Asked {
    ask(Effect::Template {
        name: name.to_owned(),
        language: language.to_owned(),
        parameters: parameters.to_vec(),
    })
}

pub(crate) fn react(emoji: &str) -> Asked {
    ask(Effect::React(emoji.to_owned()))
}

pub(crate) fn mark_read(typing: bool) -> Asked {
    ask(Effect::MarkRead { typing })
}

pub(crate) fn set_language(language: &str) -> Asked {
    ask(Effect::SetLanguage(language.to_owned()))
}

pub(crate) fn set_attribute(key: &str, value: &str) -> Asked {
    ask(Effect::SetAttribute {
        key: key.to_owned(),
        value: value.to_owned(),
    })
}

pub(crate) fn add_tag(tag: &str) -> Asked {
    ask(Effect::AddTag(tag.to_owned()))
}

pub(crate) fn remove_tag(tag: &str) -> Asked {
    ask(Effect::RemoveTag(tag.to_owned()))
}

pub(crate) fn hand_over(queue: &str, note: Option<&str>) -> Asked {
    ask(Effect::HandOver {
        queue: queue.to_owned(),
        note: note.map(str::to_owned),
    })
}

pub(crate) fn close() -> Asked {
    ask(Effect::Close)
}

pub(crate) fn log(level: Level, line: &str) {
    with(|scene| scene.log.push((level, line.to_owned())));
}

pub(crate) fn now() -> u64 {
    with(|scene| scene.now)
}

/// SplitMix64: the same script draws the same numbers.
pub(crate) fn random_u64() -> u64 {
    with(|scene| {
        scene.random = scene.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (scene.random ^ (scene.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

pub(crate) fn random_bytes(len: u32) -> Vec<u8> {
    (0..len).map(|_| random_u64().to_le_bytes()[0]).collect()
}

pub(crate) fn config_get(key: &str) -> Option<String> {
    with(|scene| scene.config.get(key).map(ToString::to_string))
}

pub(crate) fn config_all() -> String {
    with(|scene| scene.config.to_string())
}

fn memory<R>(call: impl FnOnce(&mut TurnMemory) -> Result<R, KvError>) -> Result<R, KvError> {
    with(|scene: &mut Scene| match &scene.kv_error {
        Some(error) => Err(error.clone()),
        None => call(&mut scene.memory),
    })
}

pub(crate) fn kv_get(key: &str) -> Result<Option<Vec<u8>>, KvError> {
    memory(|memory| memory.get(key))
}

pub(crate) fn kv_set(key: &str, value: &[u8]) -> Result<(), KvError> {
    memory(|memory| memory.set(key, value))
}

pub(crate) fn kv_delete(key: &str) -> Result<(), KvError> {
    memory(|memory| memory.delete(key))
}

pub(crate) fn kv_add(key: &str, delta: i64) -> Result<(), KvError> {
    memory(|memory| memory.add(key, delta))
}
