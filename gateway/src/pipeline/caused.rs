//! What a turn causes beside its conversation, its sends and its plugins' memory.

use std::collections::BTreeMap;

use crate::domain::attribute::AttributeValue;
use crate::domain::{ContactId, TenantId, Timestamp};
use crate::policy::ConsentWord;
use crate::storage::notes::Note;
use crate::storage::plugin_events::{Metric, PluginEvent};
use crate::storage::timers::{Timer, TimerKey};

/// All of it, in the words of the tables that it goes into.
#[derive(Debug, Default)]
pub(super) struct Caused {
    /// What becomes of timers; none: it ends.
    pub timers: BTreeMap<TimerKey, Option<Timer>>,
    /// The turn's own timer, whose plugin rests: as it was, unless the plugin has set it anew meanwhile.
    pub timer_again: Option<Timer>,
    pub events: Vec<PluginEvent>,
    pub notes: Vec<Note>,
    pub metrics: BTreeMap<(String, String), Metric>,
    /// Attributes of the contact; none: taken away.
    pub contact: BTreeMap<String, Option<AttributeValue>>,
    /// What the customer asked for about being written to, with Meta's time of the message.
    pub consent: Vec<Heard>,
}

/// What a plugin understood the customer to say about being written to.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub word: ConsentWord,
    /// Meta's time of the message.
    pub at: Timestamp,
    pub plugin: String,
    /// The customer's own words, where the plugin must name them.
    pub words: String,
}

impl Caused {
    /// About how many bytes its commit writes.
    pub(super) fn weight(&self) -> usize {
        let timers = (self.timers.len() + usize::from(self.timer_again.is_some())) * 512;
        let events: usize = self
            .events
            .iter()
            .map(|event| event.fields.len() + 128)
            .sum();
        let notes: usize = self.notes.iter().map(|note| note.body.len() + 64).sum();
        timers + events + notes + self.metrics.len() * 128 + self.contact.len() * 256
    }

    /// Counts one sample more.
    pub(super) fn count(&mut self, plugin: &str, name: &str, value: f64, at: Timestamp) {
        let key = (plugin.to_owned(), name.to_owned());
        let metric = self.metrics.entry(key).or_insert_with(|| Metric {
            plugin: plugin.to_owned(),
            name: name.to_owned(),
            hour: at.millis() - at.millis().rem_euclid(HOUR_MS),
            samples: 0,
            total: 0.0,
            least: value,
            most: value,
        });
        metric.add(1, value, value, value);
    }
}

const HOUR_MS: i64 = 3_600_000;

impl Metric {
    /// Sums of what is finite stay finite: at the end of what a double holds they stop.
    pub(super) fn add(&mut self, samples: i64, total: f64, least: f64, most: f64) {
        self.samples += samples;
        self.total = (self.total + total).clamp(f64::MIN, f64::MAX);
        self.least = self.least.min(least);
        self.most = self.most.max(most);
    }
}

/// Whose attributes a turn changes.
pub(super) type ContactKey = (TenantId, ContactId);
