//! `kv` within one turn, as the gateway has it: writes wait for the turn's end, and an addition does not look.

use std::collections::BTreeMap;

use super::rules;
use crate::kv::KvError;

/// The plugin's memory between turns.
pub(crate) type Memory = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Clone)]
enum Write {
    Set(Vec<u8>),
    Delete,
    Add(i64),
}

/// The memory during a turn.
pub(crate) struct TurnMemory {
    stored: Memory,
    /// Of hooks that returned `Ok`.
    kept: BTreeMap<String, Write>,
    /// Kept and the running hook's.
    pending: BTreeMap<String, Write>,
}

impl TurnMemory {
    pub(crate) fn new(stored: Memory) -> Self {
        Self {
            stored,
            kept: BTreeMap::new(),
            pending: BTreeMap::new(),
        }
    }

    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        rules::check_key(key)?;
        let stored = self.stored.get(key);
        match self.pending.get(key) {
            Some(Write::Set(value)) => Ok(Some(value.clone())),
            Some(Write::Delete) => Ok(None),
            Some(&Write::Add(delta)) => Ok(Some(sum(key, stored, delta)?)),
            None => Ok(stored.cloned()),
        }
    }

    pub(crate) fn set(&mut self, key: &str, value: &[u8]) -> Result<(), KvError> {
        rules::check_key(key)?;
        rules::check_value(value)?;
        self.write(key, Write::Set(value.to_vec()))
    }

    pub(crate) fn delete(&mut self, key: &str) -> Result<(), KvError> {
        rules::check_key(key)?;
        self.write(key, Write::Delete)
    }

    pub(crate) fn add(&mut self, key: &str, delta: i64) -> Result<(), KvError> {
        rules::check_key(key)?;
        let write = match self.pending.get(key) {
            None => Write::Add(delta),
            Some(&Write::Add(before)) => {
                let sum = before.checked_add(delta);
                Write::Add(sum.ok_or_else(|| rules::overflow(key))?)
            }
            Some(Write::Delete) => Write::Set(sum(key, None, delta)?),
            Some(Write::Set(value)) => Write::Set(sum(key, Some(value), delta)?),
        };
        self.write(key, write)
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
    pub(crate) fn commit(mut self) -> Memory {
        for (key, write) in self.kept {
            let value = match write {
                Write::Set(value) => Some(value),
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
        self.stored
    }
}

fn sum(key: &str, value: Option<&Vec<u8>>, delta: i64) -> Result<Vec<u8>, KvError> {
    let sum = rules::number(key, value)?.checked_add(delta);
    let sum = sum.ok_or_else(|| rules::overflow(key))?;
    Ok(sum.to_string().into_bytes())
}
