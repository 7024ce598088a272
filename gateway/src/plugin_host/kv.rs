//! The grant `kv` within one turn: reads through to the store once per key, writes kept aside until the turn commits.
//!
//! A turn reads what it wrote. Every read remembers the version it saw, so that the commit can tell a lost race.
//! A number is stored as decimal text (`add` on an absent key counts from 0).

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::domain::{InstallationId, TenantId};

use super::limits::{self, JOURNAL_BYTES, Limits};

/// A stored value and its version (1 and up), if there is one.
pub type KvAnswer = Result<Option<(Vec<u8>, i64)>, KvUnavailable>;

/// Where stored values come from: storage in service, a journal in a replay, a map in tests.
pub trait KvReader: Send + Sync {
    /// The value and its version (1 and up), if there is one.
    fn get<'a>(
        &'a self,
        tenant: TenantId,
        installation: InstallationId,
        key: &'a str,
    ) -> BoxFuture<'a, KvAnswer>;
}

/// The store did not answer. The turn can be tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("kv is not available: {0}")]
pub struct KvUnavailable(pub String);

/// What one installation did to its memory in a turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvEffects {
    pub installation: InstallationId,
    /// Keys that were read, with the version seen (0: absent). The commit holds only if they are still so.
    pub reads: Vec<(String, i64)>,
    pub writes: BTreeMap<String, KvWrite>,
}

/// One pending write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvWrite {
    Set(Vec<u8>),
    Delete,
    /// Adds to the stored number without having read it: commutes with every other `Add`.
    Add(i64),
}

/// What the store answered in a turn, for replay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostAnswers {
    pub answers: Vec<HostAnswer>,
    /// The answers were too long to keep all: this turn cannot be replayed.
    pub truncated: bool,
}

/// One answer of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostAnswer {
    pub installation: InstallationId,
    pub key: String,
    pub answer: Result<Option<(Vec<u8>, i64)>, KvUnavailable>,
}

impl HostAnswers {
    pub(super) fn extend(&mut self, more: Vec<HostAnswer>) {
        let mut bytes: usize = self.answers.iter().map(HostAnswer::bytes).sum();
        for answer in more {
            bytes += answer.bytes();
            if bytes > JOURNAL_BYTES {
                self.truncated = true;
                return;
            }
            self.answers.push(answer);
        }
    }
}

impl HostAnswer {
    fn bytes(&self) -> usize {
        let value = match &self.answer {
            Ok(Some((value, _))) => value.len(),
            _ => 0,
        };
        self.key.len() + value + 32
    }
}

/// A journal answers like the store did; what it does not know was never asked.
impl KvReader for HostAnswers {
    fn get<'a>(
        &'a self,
        _tenant: TenantId,
        installation: InstallationId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<(Vec<u8>, i64)>, KvUnavailable>> {
        let known = self
            .answers
            .iter()
            .find(|answer| answer.installation == installation && answer.key == key);
        let answer = match known {
            Some(known) => known.answer.clone(),
            None => Err(KvUnavailable("not in the journal".to_owned())),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// Why a call of `kv` has no result, as the guest sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KvRefused {
    Denied,
    Quota(String),
    Invalid(String),
    Unavailable(String),
}

/// One installation's memory during a turn.
pub(super) struct KvSession {
    reader: Arc<dyn KvReader>,
    io: tokio::runtime::Handle,
    tenant: TenantId,
    installation: InstallationId,
    granted: bool,
    max_keys: usize,
    max_bytes: usize,
    reads: BTreeMap<String, KvAnswer>,
    /// Answers in the order they came, for the journal.
    asked: Vec<String>,
    /// Of hooks that returned ok.
    kept: BTreeMap<String, KvWrite>,
    /// Kept and the running hook's.
    pending: BTreeMap<String, KvWrite>,
}

impl KvSession {
    pub(super) fn new(
        reader: Arc<dyn KvReader>,
        io: tokio::runtime::Handle,
        tenant: TenantId,
        installation: InstallationId,
        granted: bool,
        limits: &Limits,
    ) -> Self {
        Self {
            reader,
            io,
            tenant,
            installation,
            granted,
            max_keys: limits.kv_keys,
            max_bytes: limits.kv_bytes,
            reads: BTreeMap::new(),
            asked: Vec::new(),
            kept: BTreeMap::new(),
            pending: BTreeMap::new(),
        }
    }

    pub(super) async fn get(&mut self, key: &str) -> Result<Option<Vec<u8>>, KvRefused> {
        self.check_key(key)?;
        match self.pending.get(key) {
            Some(KvWrite::Set(value)) => return Ok(Some(value.clone())),
            Some(KvWrite::Delete) => return Ok(None),
            Some(&KvWrite::Add(delta)) => {
                let base = number(self.stored(key).await?.as_deref())?;
                return sum(base, delta).map(|sum| Some(sum.to_string().into_bytes()));
            }
            None => {}
        }
        self.stored(key).await
    }

    pub(super) fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), KvRefused> {
        self.check_key(&key)?;
        if value.len() > limits::KV_VALUE_BYTES {
            let most = limits::KV_VALUE_BYTES;
            return Err(KvRefused::Quota(format!("value: at most {most} bytes")));
        }
        self.write(key, KvWrite::Set(value))
    }

    pub(super) fn delete(&mut self, key: String) -> Result<(), KvRefused> {
        self.check_key(&key)?;
        self.write(key, KvWrite::Delete)
    }

    pub(super) fn add(&mut self, key: String, delta: i64) -> Result<(), KvRefused> {
        self.check_key(&key)?;
        let write = match self.pending.get(&key) {
            None => KvWrite::Add(delta),
            Some(&KvWrite::Add(before)) => KvWrite::Add(sum(before, delta)?),
            Some(KvWrite::Delete) => KvWrite::Set(delta.to_string().into_bytes()),
            Some(KvWrite::Set(value)) => {
                let sum = sum(number(Some(value))?, delta)?;
                KvWrite::Set(sum.to_string().into_bytes())
            }
        };
        self.write(key, write)
    }

    /// The running hook returned ok: its writes count.
    pub(super) fn keep(&mut self) {
        self.kept.clone_from(&self.pending);
    }

    /// The running hook did not return ok: as if it had written nothing.
    pub(super) fn undo(&mut self) {
        self.pending.clone_from(&self.kept);
    }

    pub(super) fn finish(self) -> (Option<KvEffects>, Vec<HostAnswer>) {
        let installation = self.installation;
        let versions = self.reads.iter().filter_map(|(key, answer)| match answer {
            Ok(Some((_, version))) => Some((key.clone(), *version)),
            Ok(None) => Some((key.clone(), 0)),
            Err(_) => None,
        });
        let effects = KvEffects {
            installation,
            reads: versions.collect(),
            writes: self.kept,
        };
        let answers = self.asked.into_iter().filter_map(|key| {
            let answer = self.reads.get(&key)?.clone();
            Some(HostAnswer {
                installation,
                key,
                answer,
            })
        });
        let answers = answers.collect();
        let used = !(effects.reads.is_empty() && effects.writes.is_empty());
        (used.then_some(effects), answers)
    }

    /// Asks the store once per key and turn, so that reads are repeatable.
    ///
    /// The question runs on the host's own runtime: a guest thread neither drives sockets nor can a panic of the store
    /// reach it.
    async fn stored(&mut self, key: &str) -> Result<Option<Vec<u8>>, KvRefused> {
        if !self.reads.contains_key(key) {
            let (reader, tenant, installation) =
                (self.reader.clone(), self.tenant, self.installation);
            let owned = key.to_owned();
            let question = async move { reader.get(tenant, installation, &owned).await };
            let task = self.io.spawn(question);
            let answer = match tokio::time::timeout(limits::HOST_CALL_WAIT, task).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => Err(KvUnavailable("the store failed".to_owned())),
                Err(_) => Err(KvUnavailable("the store took too long".to_owned())),
            };
            self.reads.insert(key.to_owned(), answer);
            self.asked.push(key.to_owned());
        }
        match &self.reads[key] {
            Ok(found) => Ok(found.as_ref().map(|(value, _)| value.clone())),
            Err(unavailable) => Err(KvRefused::Unavailable(unavailable.0.clone())),
        }
    }

    fn check_key(&self, key: &str) -> Result<(), KvRefused> {
        if !self.granted {
            return Err(KvRefused::Denied);
        }
        if key.is_empty() || key.contains('\0') {
            return Err(KvRefused::Invalid("key: empty or with NUL".to_owned()));
        }
        if key.len() > limits::KV_KEY_BYTES {
            let most = limits::KV_KEY_BYTES;
            return Err(KvRefused::Quota(format!("key: at most {most} bytes")));
        }
        let known = self.reads.contains_key(key) || self.pending.contains_key(key);
        let keys = self.reads.len() + self.pending.len();
        if !known && keys >= self.max_keys {
            let most = self.max_keys;
            return Err(KvRefused::Quota(format!("at most {most} keys a turn")));
        }
        Ok(())
    }

    fn write(&mut self, key: String, write: KvWrite) -> Result<(), KvRefused> {
        let others = self.pending.iter().filter(|(other, _)| **other != key);
        let bytes: usize = others.map(|(key, write)| key.len() + write.bytes()).sum();
        if bytes + key.len() + write.bytes() > self.max_bytes {
            let most = self.max_bytes;
            return Err(KvRefused::Quota(format!("at most {most} bytes a turn")));
        }
        self.pending.insert(key, write);
        Ok(())
    }
}

impl KvWrite {
    fn bytes(&self) -> usize {
        match self {
            Self::Set(value) => value.len(),
            Self::Delete => 0,
            Self::Add(_) => 8,
        }
    }
}

fn number(value: Option<&[u8]>) -> Result<i64, KvRefused> {
    let Some(value) = value else { return Ok(0) };
    let text = std::str::from_utf8(value).ok();
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| KvRefused::Invalid("the value is not a decimal number".to_owned()))
}

fn sum(a: i64, b: i64) -> Result<i64, KvRefused> {
    a.checked_add(b)
        .ok_or_else(|| KvRefused::Invalid("the sum does not fit into 64 bits".to_owned()))
}

#[cfg(test)]
mod tests;
