//! Which callback an update goes to: the number's own, its account's, or the app's (`whatsapp-cloud-api.md` §1.3).

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use super::body::Update;
use super::post::Target;
use crate::sync;

/// Callbacks of numbers and accounts, by their ids.
#[derive(Default)]
pub(super) struct Callbacks(RwLock<HashMap<String, Arc<Target>>>);

impl Callbacks {
    /// `None` goes back to the next callback in order.
    pub fn set(&self, id: &str, target: Option<Target>) {
        let mut all = sync::write(&self.0);
        match target {
            Some(target) => drop(all.insert(id.to_owned(), Arc::new(target))),
            None => drop(all.remove(id)),
        }
    }

    /// `None`: the app's.
    pub fn of(&self, update: &Update) -> Option<Arc<Target>> {
        let all = sync::read(&self.0);
        if all.is_empty() || !update.follows_override() {
            return None;
        }
        let ids = [update.number_id.as_str(), update.waba_id.as_str()];
        ids.into_iter().find_map(|id| all.get(id)).cloned()
    }

    /// Updates by their callbacks, in order: one body goes to one of them.
    pub fn sorted(&self, updates: Vec<Update>) -> Vec<(Option<Arc<Target>>, Vec<Update>)> {
        let mut sorted: Vec<(Option<Arc<Target>>, Vec<Update>)> = Vec::new();
        for update in updates {
            let to = self.of(&update);
            let same = |(other, _): &&mut (Option<Arc<Target>>, Vec<Update>)| match (other, &to) {
                (None, None) => true,
                (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                _ => false,
            };
            match sorted.iter_mut().find(same) {
                Some((_, updates)) => updates.push(update),
                None => sorted.push((to, vec![update])),
            }
        }
        sorted
    }
}
