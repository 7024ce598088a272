//! Every template of every account, how new ones are judged, and the messages that pacing holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::world::World;
use super::{Held, ReviewPolicy, TemplateSpec};

use crate::sync::lock;

/// Most messages that pacing holds at once; an older one is dropped, as if it had never been released.
const HELD: usize = 10_000;

/// WABA, name, language.
type Key = (String, String, String);

#[derive(Debug, Default)]
struct Kept {
    templates: HashMap<Key, Arc<TemplateSpec>>,
    reviews: ReviewPolicy,
    held: Vec<Held>,
}

#[derive(Debug, Default)]
pub(in super::super) struct Templates(Mutex<Kept>);

impl Templates {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.0)
    }
}

impl World {
    /// Adds a template or changes it: paused, disabled, another body. Says nothing to anybody.
    pub fn put_template(&self, spec: TemplateSpec) {
        let key = (
            spec.waba_id.clone(),
            spec.name.clone(),
            spec.language.clone(),
        );
        self.templates.kept().templates.insert(key, Arc::new(spec));
    }

    pub(in super::super) fn template(
        &self,
        waba_id: &str,
        name: &str,
        language: &str,
    ) -> Option<Arc<TemplateSpec>> {
        let key = (waba_id.to_owned(), name.to_owned(), language.to_owned());
        self.templates.kept().templates.get(&key).cloned()
    }

    pub(in super::super) fn template_by_id(&self, id: &str) -> Option<Arc<TemplateSpec>> {
        let id: u64 = id.parse().ok()?;
        let kept = self.templates.kept();
        kept.templates
            .values()
            .find(|template| template.id() == id)
            .cloned()
    }

    /// In no particular order.
    pub(in super::super) fn templates(&self) -> Vec<Arc<TemplateSpec>> {
        self.templates.kept().templates.values().cloned().collect()
    }

    pub fn reviews(&self) -> ReviewPolicy {
        self.templates.kept().reviews.clone()
    }

    /// How templates are judged from now on.
    pub fn set_reviews(&self, policy: ReviewPolicy) {
        self.templates.kept().reviews = policy;
    }

    pub(in super::super) fn hold_send(&self, held: Held) {
        let mut kept = self.templates.kept();
        if kept.held.len() >= HELD {
            kept.held.remove(0);
        }
        kept.held.push(held);
    }

    pub(super) fn take_held(&self, template: u64) -> Vec<Held> {
        let mut kept = self.templates.kept();
        let (taken, rest) = std::mem::take(&mut kept.held)
            .into_iter()
            .partition(|held| held.template == template);
        kept.held = rest;
        taken
    }
}
