//! What the journal keeps of a turn so that it can be run again: what its plugins saw beside the event, under which setup
//! they ran, and a mark of all that they did. A replay makes the same mark of what it saw happen.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::engine::WASMTIME_VERSION;
use super::kv::KvWrite;
use super::limits::Limits;
use super::report::TurnReport;
use super::request::{ConversationView, StoredSetup};
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

/// A plugin of a turn, and the mark of what it ran under ([`PluginBinding::setup`](super::PluginBinding::setup)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenPlugin {
    pub installation: InstallationId,
    /// Its number within the installation.
    pub version: i64,
    pub setup: String,
}

impl SeenPlugin {
    /// The installation and the number of the version in it.
    pub fn key(&self) -> (InstallationId, i64) {
        (self.installation, self.version)
    }
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

/// Equal for equal components, settings, grants, limits and engines.
pub(super) fn setup_mark(stored: StoredSetup<'_>, limits: &Limits) -> String {
    let StoredSetup {
        digest,
        config,
        grants,
    } = stored;
    let limits = serde_json::to_string(limits).expect("limits are JSON");
    let mut hash = Sha256::new();
    for part in [digest, config, grants, &limits, WASMTIME_VERSION] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..8])
}

impl TurnReport {
    /// Equal when all that the plugins asked for is equal to the byte: effects, route, ending, what they remember and
    /// the requests that they send. Not
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
        for asked in &self.host_answers.http {
            part(b"http");
            part(asked.mark.as_bytes());
        }
        hex::encode(&hash.finalize()[..16])
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("what plugins ask for is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Timestamp, TurnId};
    use crate::plugin_host::{
        AttributedEffect, Effect, Ending, KvEffects, KvWrite, Route, TurnReport,
    };

    fn tag(tag: &str) -> AttributedEffect {
        AttributedEffect {
            installation: InstallationId::from_raw(1),
            plugin: "echo".to_owned(),
            version: "0.1.0".to_owned(),
            effect: Effect::AddTag {
                tag: tag.to_owned(),
            },
        }
    }

    fn report() -> TurnReport {
        let write = |write| KvEffects {
            installation: InstallationId::from_raw(1),
            reads: Vec::new(),
            writes: [("key".to_owned(), write)].into(),
        };
        TurnReport {
            effects: vec![tag("a"), tag("b")],
            route: Some(Route::Bot),
            kv: vec![write(KvWrite::Set(b"1".to_vec()))],
            ..TurnReport::blank(Ending::Answered)
        }
    }

    #[test]
    fn the_mark_moves_with_everything_that_was_asked_for() {
        let changes: [fn(&mut TurnReport); 8] = [
            |report| report.ending = Ending::Silent,
            |report| report.route = Some(Route::Silence),
            |report| report.effects.swap(0, 1),
            |report| report.effects[0].installation = InstallationId::from_raw(2),
            |report| drop(report.effects.pop()),
            |report| report.kv[0].installation = InstallationId::from_raw(2),
            |report| {
                drop(
                    report.kv[0]
                        .writes
                        .insert("key".to_owned(), KvWrite::Add(1)),
                )
            },
            |report| {
                let until = KvWrite::SetUntil(b"1".to_vec(), Timestamp::from_millis(1));
                report.kv[0].writes.insert("key".to_owned(), until);
            },
        ];
        for (place, change) in changes.iter().enumerate() {
            let mut changed = report();
            change(&mut changed);
            assert_ne!(changed.mark(), report().mark(), "change {place}");
        }
    }

    #[test]
    fn the_mark_stays_whichever_version_asked_and_whatever_was_read() {
        let mut changed = report();
        changed.effects[0].version = "0.2.0".to_owned();
        changed.turn = TurnId::from_raw(2);
        changed.kv[0].reads.push(("key".to_owned(), 3));
        assert_eq!(changed.mark(), report().mark());
    }

    #[test]
    fn a_setup_is_marked_part_by_part() {
        let limits = Limits::default();
        let stored = |digest, config, grants| StoredSetup {
            digest,
            config,
            grants,
        };
        let mark = setup_mark(stored("d", "{}", "[]"), &limits);
        let less = Limits {
            fuel: 1,
            ..limits.clone()
        };
        for other in [
            setup_mark(stored("d{", "}", "[]"), &limits),
            setup_mark(stored("d", "{}", "[\"kv\"]"), &limits),
            setup_mark(stored("d", "{}", "[]"), &less),
        ] {
            assert_ne!(other, mark);
        }
    }

    #[test]
    fn what_was_seen_reads_back_as_it_was() {
        let seen = Seen {
            display_name: Some("Ines".to_owned()),
            tags: ["vip".to_owned()].into(),
            bot: true,
            plugins: vec![SeenPlugin {
                installation: InstallationId::from_raw(1),
                version: 2,
                setup: "x".to_owned(),
            }],
            ..Seen::default()
        };
        let json = serde_json::to_string(&seen).expect("JSON");
        assert!(!json.contains("language"), "{json}");
        assert_eq!(serde_json::from_str::<Seen>(&json).expect("it reads"), seen);
        let view = seen.view(ConversationId::from_raw(1), ContactId::from_raw(2));
        assert_eq!(Seen::of(view, true, seen.plugins.clone()), seen);
    }
}
