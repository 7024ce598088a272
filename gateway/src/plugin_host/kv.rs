//! The grant `kv` within one turn: reads through to the store once per key, writes kept aside until the turn commits.
//!
//! A turn reads what it wrote. Every read remembers the version it saw, so that the commit can tell a lost race.
//! A number is stored as decimal text (`add` on an absent key counts from 0).

mod journal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::domain::{ContactId, ConversationId, InstallationId, TenantId, Timestamp};

use super::limits::{self, Limits};
use super::waiting;

pub(super) use journal::Asked;
pub use journal::{HostAnswer, HostAnswers, ListAnswer};

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

    /// Keys that begin with `prefix` (empty: all of the tenant's space), those after `after` (empty: from the first), in the
    /// order of their bytes; at most so many. A store that cannot list says that it is not available.
    fn list<'a>(
        &'a self,
        _tenant: TenantId,
        _installation: InstallationId,
        _asked: &'a ListAsked,
    ) -> BoxFuture<'a, Result<Vec<String>, KvUnavailable>> {
        let cannot = KvUnavailable("this store does not list".to_owned());
        Box::pin(std::future::ready(Err(cannot)))
    }

    /// Bytes of keys and values that the installation's plugin keeps in all. A store that does not count says none.
    fn used(
        &self,
        _tenant: TenantId,
        _installation: InstallationId,
    ) -> BoxFuture<'_, Result<u64, KvUnavailable>> {
        Box::pin(std::future::ready(Ok(0)))
    }
}

/// Which keys are asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ListAsked {
    pub prefix: String,
    pub after: String,
    pub most: u32,
}

/// Whose memory a key is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    Tenant,
    Contact(ContactId),
    Conversation(ConversationId),
}

/// Keys of the tenant's space stand in the store as they are (and did so before there were others), so none of them may
/// begin like those of the other spaces.
const OTHER_SPACE: char = '\u{1}';

impl Space {
    /// What its keys begin with in the store.
    fn prefix(self) -> String {
        match self {
            Self::Tenant => String::new(),
            Self::Contact(id) => format!("{OTHER_SPACE}p{:x}/", id.raw()),
            Self::Conversation(id) => format!("{OTHER_SPACE}c{:x}/", id.raw()),
        }
    }
}

/// The store did not answer. The turn can be tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("kv is not available: {0}")]
pub struct KvUnavailable(pub String);

/// What one installation did to its memory in a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvEffects {
    pub installation: InstallationId,
    /// Keys that were read, with the version seen (0: absent). The commit holds only if they are still so.
    pub reads: Vec<(String, i64)>,
    pub writes: BTreeMap<String, KvWrite>,
}

/// One pending write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvWrite {
    Set(Vec<u8>),
    /// The same, until this moment.
    SetUntil(Vec<u8>, Timestamp),
    Delete,
    /// Adds to the stored number without having read it: commutes with every other `Add`. The commit leaves a value
    /// that is no number as it is.
    Add(i64),
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
    io: Arc<tokio::runtime::Handle>,
    tenant: TenantId,
    installation: InstallationId,
    granted: bool,
    max_keys: usize,
    max_bytes: usize,
    max_total: u64,
    /// Bytes in use before the turn, once asked for.
    used: Option<Result<u64, KvUnavailable>>,
    /// They decided something: a replay has to know them.
    used_matters: bool,
    reads: BTreeMap<String, KvAnswer>,
    /// Answers in the order they came, for the journal.
    asked: Vec<String>,
    lists: BTreeMap<ListAsked, Result<Vec<String>, KvUnavailable>>,
    list_calls: usize,
    /// Of hooks that returned ok.
    kept: BTreeMap<String, KvWrite>,
    /// Kept and the running hook's.
    pending: BTreeMap<String, KvWrite>,
}

impl KvSession {
    pub(super) fn new(
        reader: Arc<dyn KvReader>,
        io: Arc<tokio::runtime::Handle>,
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
            max_total: limits.kv_total_bytes,
            used: None,
            used_matters: false,
            reads: BTreeMap::new(),
            asked: Vec::new(),
            lists: BTreeMap::new(),
            list_calls: 0,
            kept: BTreeMap::new(),
            pending: BTreeMap::new(),
        }
    }

    pub(super) async fn get(
        &mut self,
        space: Space,
        key: &str,
    ) -> Result<Option<Vec<u8>>, KvRefused> {
        let key = self.item(space, key)?;
        match self.pending.get(&key) {
            Some(KvWrite::Set(value) | KvWrite::SetUntil(value, _)) => {
                return Ok(Some(value.clone()));
            }
            Some(KvWrite::Delete) => return Ok(None),
            Some(&KvWrite::Add(delta)) => {
                let base = number(self.stored(&key).await?.as_deref())?;
                return sum(base, delta).map(|sum| Some(sum.to_string().into_bytes()));
            }
            None => {}
        }
        self.stored(&key).await
    }

    /// `until`: when it is gone.
    pub(super) async fn set(
        &mut self,
        space: Space,
        key: &str,
        value: Vec<u8>,
        until: Option<Timestamp>,
    ) -> Result<(), KvRefused> {
        let key = self.item(space, key)?;
        if value.len() > limits::KV_VALUE_BYTES {
            let most = limits::KV_VALUE_BYTES;
            return Err(KvRefused::Quota(format!("value: at most {most} bytes")));
        }
        let write = match until {
            Some(until) => KvWrite::SetUntil(value, until),
            None => KvWrite::Set(value),
        };
        self.write(key, write).await
    }

    pub(super) async fn delete(&mut self, space: Space, key: &str) -> Result<(), KvRefused> {
        let key = self.item(space, key)?;
        self.write(key, KvWrite::Delete).await
    }

    pub(super) async fn add(
        &mut self,
        space: Space,
        key: &str,
        delta: i64,
    ) -> Result<(), KvRefused> {
        let key = self.item(space, key)?;
        let write = match self.pending.get(&key) {
            None => KvWrite::Add(delta),
            Some(&KvWrite::Add(before)) => KvWrite::Add(sum(before, delta)?),
            Some(KvWrite::Delete) => KvWrite::Set(delta.to_string().into_bytes()),
            Some(KvWrite::Set(value)) => {
                let sum = sum(number(Some(value))?, delta)?;
                KvWrite::Set(sum.to_string().into_bytes())
            }
            Some(KvWrite::SetUntil(value, until)) => {
                let sum = sum(number(Some(value))?, delta)?;
                KvWrite::SetUntil(sum.to_string().into_bytes(), *until)
            }
        };
        self.write(key, write).await
    }

    /// Keys of a space that begin with `prefix` and come after `after`, as this turn left them; and whether more follow.
    pub(super) async fn list(
        &mut self,
        space: Space,
        prefix: &str,
        after: Option<&str>,
        most: u32,
    ) -> Result<(Vec<String>, bool), KvRefused> {
        self.check_text(prefix)?;
        self.check_text(after.unwrap_or(""))?;
        if !(1..=limits::KV_LIST).contains(&most) {
            let most = limits::KV_LIST;
            return Err(KvRefused::Invalid(format!("most: 1 to {most}")));
        }
        if self.list_calls >= limits::KV_LISTS {
            let most = limits::KV_LISTS;
            return Err(KvRefused::Quota(format!("at most {most} lists a turn")));
        }
        self.list_calls += 1;
        let begin = space.prefix();
        // What the turn deletes may stand in the way of what is asked for; and one more tells whether more follow.
        let pending = u32::try_from(self.pending.len()).unwrap_or(u32::MAX);
        let asked = ListAsked {
            prefix: format!("{begin}{prefix}"),
            after: after.map_or_else(String::new, |after| format!("{begin}{after}")),
            most: most.saturating_add(pending).saturating_add(1),
        };
        let stored = self.listed(&asked).await?;
        Ok(self.merged(&asked, &begin, stored, most as usize))
    }

    fn merged(
        &self,
        asked: &ListAsked,
        begin: &str,
        stored: Vec<String>,
        most: usize,
    ) -> (Vec<String>, bool) {
        // The tenant's own keys are never those of other spaces.
        let foreign = |key: &String| begin.is_empty() && key.starts_with(OTHER_SPACE);
        let mut keys: BTreeSet<String> = stored.into_iter().filter(|k| !foreign(k)).collect();
        for (key, write) in &self.pending {
            let fits = key.starts_with(&asked.prefix) && *key > asked.after && !foreign(key);
            match write {
                KvWrite::Delete => drop(keys.remove(key)),
                _ if fits => drop(keys.insert(key.clone())),
                _ => {}
            }
        }
        let more = keys.len() > most;
        let own = |key: String| key[begin.len()..].to_owned();
        (keys.into_iter().take(most).map(own).collect(), more)
    }

    /// Asks the store once for each list and turn, so that lists are repeatable.
    async fn listed(&mut self, asked: &ListAsked) -> Result<Vec<String>, KvRefused> {
        if !self.lists.contains_key(asked) {
            let (tenant, installation) = (self.tenant, self.installation);
            let (reader, owned) = (self.reader.clone(), asked.clone());
            let question = async move { reader.list(tenant, installation, &owned).await };
            let answer = self.ask(question).await;
            self.lists.insert(asked.clone(), answer);
        }
        let answer = self.lists[asked].clone();
        answer.map_err(|unavailable| KvRefused::Unavailable(unavailable.0))
    }

    /// The running hook returned ok: its writes count.
    pub(super) fn keep(&mut self) {
        self.kept.clone_from(&self.pending);
    }

    /// The running hook did not return ok: as if it had written nothing.
    pub(super) fn undo(&mut self) {
        self.pending.clone_from(&self.kept);
    }

    pub(super) fn finish(self) -> (Option<KvEffects>, Asked) {
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
        let lists = self.lists.into_iter().map(|(asked, answer)| ListAnswer {
            installation,
            asked,
            answer,
        });
        let matters = self.used.filter(|_| self.used_matters);
        let asked = Asked {
            answers: answers.collect(),
            lists: lists.collect(),
            used: matters.map(|used| (installation, used)),
            http: Vec::new(),
        };
        let used = !(effects.reads.is_empty() && effects.writes.is_empty());
        (used.then_some(effects), asked)
    }

    /// Asks the store once per key and turn, so that reads are repeatable.
    async fn stored(&mut self, key: &str) -> Result<Option<Vec<u8>>, KvRefused> {
        if !self.reads.contains_key(key) {
            let (tenant, installation) = (self.tenant, self.installation);
            let (reader, owned) = (self.reader.clone(), key.to_owned());
            let question = async move { reader.get(tenant, installation, &owned).await };
            let answer = self.ask(question).await;
            self.reads.insert(key.to_owned(), answer);
            self.asked.push(key.to_owned());
        }
        match &self.reads[key] {
            Ok(found) => Ok(found.as_ref().map(|(value, _)| value.clone())),
            Err(unavailable) => Err(KvRefused::Unavailable(unavailable.0.clone())),
        }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T, KvUnavailable>> + Send + 'static,
    ) -> Result<T, KvUnavailable> {
        let answer = waiting::ask(&self.io, question).await;
        answer.unwrap_or_else(|why| Err(KvUnavailable(why.to_owned())))
    }

    /// Bytes in use before the turn. Like a key, asked for once.
    async fn used(&mut self) -> Result<u64, KvRefused> {
        if self.used.is_none() {
            let (reader, tenant, installation) =
                (self.reader.clone(), self.tenant, self.installation);
            let used = self
                .ask(async move { reader.used(tenant, installation).await })
                .await;
            self.used_matters |= used.is_err();
            self.used = Some(used);
        }
        match &self.used {
            Some(Err(unavailable)) => Err(KvRefused::Unavailable(unavailable.0.clone())),
            Some(Ok(used)) => Ok(*used),
            None => Ok(0),
        }
    }

    /// The key as it stands in the store, if the turn may have it.
    fn item(&self, space: Space, key: &str) -> Result<String, KvRefused> {
        self.check_text(key)?;
        if key.is_empty() {
            return Err(KvRefused::Invalid("key: empty".to_owned()));
        }
        if space == Space::Tenant && key.starts_with(OTHER_SPACE) {
            let why = "key: begins with the control character 1, by which spaces are told apart";
            return Err(KvRefused::Invalid(why.to_owned()));
        }
        let item = format!("{}{key}", space.prefix());
        let known = self.reads.contains_key(&item) || self.pending.contains_key(&item);
        let unread = |key: &&String| !self.reads.contains_key(*key);
        let keys = self.reads.len() + self.pending.keys().filter(unread).count();
        if !known && keys >= self.max_keys {
            let most = self.max_keys;
            return Err(KvRefused::Quota(format!("at most {most} keys a turn")));
        }
        Ok(item)
    }

    fn check_text(&self, key: &str) -> Result<(), KvRefused> {
        if !self.granted {
            return Err(KvRefused::Denied);
        }
        if key.contains('\0') {
            return Err(KvRefused::Invalid("key: with NUL".to_owned()));
        }
        if key.len() > limits::KV_KEY_BYTES {
            let most = limits::KV_KEY_BYTES;
            return Err(KvRefused::Quota(format!("key: at most {most} bytes")));
        }
        Ok(())
    }

    async fn write(&mut self, key: String, write: KvWrite) -> Result<(), KvRefused> {
        let others = self.pending.iter().filter(|(other, _)| **other != key);
        let bytes: usize = others.map(|(key, write)| key.len() + write.bytes()).sum();
        if bytes + key.len() + write.bytes() > self.max_bytes {
            let most = self.max_bytes;
            return Err(KvRefused::Quota(format!("at most {most} bytes a turn")));
        }
        self.check_room(&key, &write).await?;
        self.pending.insert(key, write);
        Ok(())
    }

    /// Is there room for all that waits to be written? What it replaces counts too, and is asked for only where that
    /// matters. Never says yes where the commit, which counts again, would find the same memory too small.
    async fn check_room(&mut self, key: &str, write: &KvWrite) -> Result<(), KvRefused> {
        if *write == KvWrite::Delete {
            return Ok(());
        }
        let used = i128::from(self.used().await?);
        let most = i128::from(self.max_total);
        if used + self.growth(key, write) <= most {
            return Ok(());
        }
        self.used_matters = true;
        let touched: Vec<String> = self.pending.keys().cloned().collect();
        for key in touched.iter().map(String::as_str).chain([key]) {
            self.stored(key).await?;
        }
        let growth = self.growth(key, write);
        if growth > 0 && used + growth > most {
            let most = self.max_total;
            return Err(KvRefused::Quota(format!("at most {most} bytes in all")));
        }
        Ok(())
    }

    /// By how much the memory grows at most with what is pending and this write.
    fn growth(&self, key: &str, write: &KvWrite) -> i128 {
        let others = self.pending.iter().filter(|(other, _)| *other != key);
        let one = |key: &str, write: &KvWrite| {
            let stored = match self.reads.get(key) {
                Some(Ok(Some((value, _)))) => key.len() + value.len(),
                _ => 0,
            };
            write.room(key) as i128 - stored as i128
        };
        let others: i128 = others.map(|(key, write)| one(key, write)).sum();
        others + one(key, write)
    }
}

/// Digits of the longest number.
const NUMBER_BYTES: usize = 20;

impl KvWrite {
    /// Bytes that wait to be written.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Set(value) | Self::SetUntil(value, _) => value.len(),
            Self::Delete => 0,
            Self::Add(_) => 8,
        }
    }

    /// Bytes that key and value take at most, once written.
    fn room(&self, key: &str) -> usize {
        match self {
            Self::Set(value) | Self::SetUntil(value, _) => key.len() + value.len(),
            Self::Delete => 0,
            Self::Add(_) => key.len() + NUMBER_BYTES,
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
