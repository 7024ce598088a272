//! `kv` within one turn, as the gateway has it: writes wait for the turn's end, and an addition does not look.

use std::collections::{BTreeMap, BTreeSet};

use super::rules;
use crate::kv::{KvError, Page, Space};

/// The plugin's memory between turns: the tenant's space under its own keys, other spaces behind whose they are.
pub(crate) type Memory = BTreeMap<String, Vec<u8>>;

/// Keys of the tenant's space never begin with it; those of other spaces do.
const OTHER_SPACE: char = '\u{1}';

/// When values are gone.
pub(crate) type Ends = BTreeMap<String, u64>;

#[derive(Debug, Clone)]
enum Write {
    Set(Vec<u8>, Option<u64>),
    Delete,
    Add(i64),
}

/// The memory during a turn.
pub(crate) struct TurnMemory {
    stored: Memory,
    ends: Ends,
    now: u64,
    /// The conversation, whose spaces the turn sees beside the tenant's.
    conversation: String,
    /// Of hooks that returned `Ok`.
    kept: BTreeMap<String, Write>,
    /// Kept and the running hook's.
    pending: BTreeMap<String, Write>,
}

impl TurnMemory {
    pub(crate) fn new(mut stored: Memory, ends: Ends, now: u64, conversation: &str) -> Self {
        stored.retain(|key, _| ends.get(key).is_none_or(|end| *end > now));
        Self {
            stored,
            ends,
            now,
            conversation: conversation.to_owned(),
            kept: BTreeMap::new(),
            pending: BTreeMap::new(),
        }
    }

    fn begin(&self, space: Space) -> String {
        match space {
            Space::Tenant => String::new(),
            Space::Contact => format!("{OTHER_SPACE}con/{}/", self.conversation),
            Space::Conversation => format!("{OTHER_SPACE}cnv/{}/", self.conversation),
        }
    }

    fn item(&self, space: Space, key: &str) -> Result<String, KvError> {
        rules::check_key(key)?;
        if space == Space::Tenant && key.starts_with(OTHER_SPACE) {
            let why = "key: begins with the control character 1, by which spaces are told apart";
            return Err(KvError::Invalid(why.to_owned()));
        }
        Ok(format!("{}{key}", self.begin(space)))
    }

    pub(crate) fn get(&self, space: Space, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        let key = &self.item(space, key)?;
        let stored = self.stored.get(key);
        match self.pending.get(key) {
            Some(Write::Set(value, _)) => Ok(Some(value.clone())),
            Some(Write::Delete) => Ok(None),
            Some(&Write::Add(delta)) => Ok(Some(sum(key, stored, delta)?)),
            None => Ok(stored.cloned()),
        }
    }

    pub(crate) fn set(
        &mut self,
        space: Space,
        key: &str,
        value: &[u8],
        ttl: Option<u64>,
    ) -> Result<(), KvError> {
        let key = self.item(space, key)?;
        rules::check_value(value)?;
        let end = ttl.map(|ttl| self.now.saturating_add(ttl));
        self.write(&key, Write::Set(value.to_vec(), end))
    }

    pub(crate) fn delete(&mut self, space: Space, key: &str) -> Result<(), KvError> {
        let key = self.item(space, key)?;
        self.write(&key, Write::Delete)
    }

    pub(crate) fn add(&mut self, space: Space, key: &str, delta: i64) -> Result<(), KvError> {
        let key = &self.item(space, key)?;
        let write = match self.pending.get(key) {
            None => Write::Add(delta),
            Some(&Write::Add(before)) => {
                let sum = before.checked_add(delta);
                Write::Add(sum.ok_or_else(|| rules::overflow(key))?)
            }
            Some(Write::Delete) => Write::Set(sum(key, None, delta)?, None),
            Some(Write::Set(value, end)) => Write::Set(sum(key, Some(value), delta)?, *end),
        };
        self.write(key, write)
    }

    pub(crate) fn list(
        &self,
        space: Space,
        prefix: &str,
        after: Option<&str>,
        most: u32,
    ) -> Result<Page, KvError> {
        if !(1..=100).contains(&most) {
            return Err(KvError::Invalid("most: 1 to 100".to_owned()));
        }
        let begin = self.begin(space);
        let wanted = |key: &str| {
            let own = key.strip_prefix(&begin)?;
            let foreign = begin.is_empty() && own.starts_with(OTHER_SPACE);
            let fits = own.starts_with(prefix) && after.is_none_or(|after| own > after);
            (fits && !foreign).then(|| own.to_owned())
        };
        let gone = |key: &String| matches!(self.pending.get(key), Some(Write::Delete));
        let stored = self.stored.keys().filter(|key| !gone(key));
        let written = self.pending.keys().filter(|key| !gone(key));
        let all: BTreeSet<String> = stored
            .chain(written)
            .filter_map(|key| wanted(key))
            .collect();
        let keys: Vec<String> = all.iter().take(most as usize).cloned().collect();
        let more = all.len() > keys.len();
        let next = keys.last().filter(|_| more).cloned();
        Ok(Page { keys, next })
    }

    fn write(&mut self, key: &str, write: Write) -> Result<(), KvError> {
        self.pending.insert(key.to_owned(), write);
        Ok(())
    }

    /// The running hook returned `Ok`.
    pub(crate) fn keep(&mut self) {
        self.kept.clone_from(&self.pending);
    }

    /// The running hook failed: as if it had written nothing.
    pub(crate) fn undo(&mut self) {
        self.pending.clone_from(&self.kept);
    }

    /// The turn's end. An addition to what is no number leaves it as it is.
    pub(crate) fn commit(mut self) -> (Memory, Ends) {
        for (key, write) in self.kept {
            if !matches!(write, Write::Add(_)) {
                self.ends.remove(&key);
            }
            let value = match write {
                Write::Set(value, end) => {
                    self.ends.extend(end.map(|end| (key.clone(), end)));
                    Some(value)
                }
                Write::Delete => None,
                Write::Add(delta) => match sum(&key, self.stored.get(&key), delta) {
                    Ok(sum) => Some(sum),
                    Err(_) => continue,
                },
            };
            match value {
                Some(value) => self.stored.insert(key, value),
                None => self.stored.remove(&key),
            };
        }
        (self.stored, self.ends)
    }
}

fn sum(key: &str, value: Option<&Vec<u8>>, delta: i64) -> Result<Vec<u8>, KvError> {
    let sum = rules::number(key, value)?.checked_add(delta);
    let sum = sum.ok_or_else(|| rules::overflow(key))?;
    Ok(sum.to_string().into_bytes())
}
