//! What the journal keeps of a turn so that it can be run again: what its plugins saw beside the event, under which setup
//! they ran, and a mark of all that they did. A replay makes the same mark of what it saw happen.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::engine::WASMTIME_VERSION;
use super::kv::KvWrite;
use super::limits::Limits;
use super::report::TurnReport;
use super::request::ConversationView;
use crate::domain::attribute::Fields;
use crate::domain::{ContactId, ConversationId, InstallationId};

/// The conversation as a turn's plugins saw it, and which plugins these were. Ids stand in the turn's row and its event.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    pub attributes: Fields,
    #[serde(skip_serializing_if = "Fields::is_empty")]
    pub contact_attributes: Fields,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_new: bool,
    /// The bot had the conversation.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub bot: bool,
    /// In the order in which they ran.
    pub plugins: Vec<SeenPlugin>,
}

/// A plugin of a turn, and the mark of what it ran under ([`setup_mark`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenPlugin {
    pub installation: InstallationId,
    pub setup: String,
}

impl Seen {
    pub fn of(view: ConversationView, bot: bool, plugins: Vec<SeenPlugin>) -> Self {
        Self {
            display_name: view.display_name,
            language: view.language,
            attributes: view.attributes,
            contact_attributes: view.contact_attributes,
            tags: view.tags,
            is_new: view.is_new,
            bot,
            plugins,
        }
    }

    /// The conversation as it was.
    pub fn view(&self, id: ConversationId, contact: ContactId) -> ConversationView {
        ConversationView {
            id,
            contact,
            display_name: self.display_name.clone(),
            language: self.language.clone(),
            attributes: self.attributes.clone(),
            contact_attributes: self.contact_attributes.clone(),
            tags: self.tags.clone(),
            is_new: self.is_new,
        }
    }
}

/// Equal for equal components, settings, grants, limits and engines. `digest`, `config` and `grants` as they are stored.
pub fn setup_mark(digest: &str, config: &str, grants: &str, limits: &Limits) -> String {
    let limits = serde_json::to_string(limits).expect("limits are JSON");
    let mut hash = Sha256::new();
    for part in [digest, config, grants, &limits, WASMTIME_VERSION] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..8])
}

impl TurnReport {
    /// Equal when all that the plugins asked for is equal to the byte: effects, route, ending and what they remember. Not
    /// which version asked, what it cost and what it logged.
    pub fn mark(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update(bytes.len().to_le_bytes());
            hash.update(bytes);
        };
        part(&json(&(self.ending, &self.route, self.retry_after)));
        for effect in &self.effects {
            part(&json(&(effect.installation, &effect.effect)));
        }
        for kv in self.kv.iter().filter(|kv| !kv.writes.is_empty()) {
            part(&kv.installation.raw().to_le_bytes());
            for (key, write) in &kv.writes {
                part(key.as_bytes());
                let (kind, value, number) = match write {
                    KvWrite::Set(value) => (0, value.as_slice(), 0),
                    KvWrite::SetUntil(value, until) => (1, value.as_slice(), until.millis()),
                    KvWrite::Delete => (2, [].as_slice(), 0),
                    KvWrite::Add(delta) => (3, [].as_slice(), *delta),
                };
                part(&[kind]);
                part(value);
                part(&number.to_le_bytes());
            }
        }
        hex::encode(&hash.finalize()[..16])
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("what plugins ask for is JSON")
}
