//! What the host answered in a turn, as the journal keeps it; a replay asks it instead of the store and the network.

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::{KvAnswer, KvReader, KvUnavailable, ListAsked};
use crate::domain::{InstallationId, TenantId};
use crate::plugin_host::http::HttpRecord;
use crate::plugin_host::limits::JOURNAL_BYTES;
use crate::plugin_host::reads::ReadAnswers;

/// What the host answered in a turn, for replay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostAnswers {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<HostAnswer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<ListAnswer>,
    /// What was in use, where it decided what a plugin could do: else there was room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used: Vec<(InstallationId, Result<u64, KvUnavailable>)>,
    /// Requests by the grant `http`, in the order of each installation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpRecord>,
    /// What was read of the turn beside its message.
    #[serde(default, skip_serializing_if = "ReadAnswers::is_empty")]
    pub reads: ReadAnswers,
    /// The answers were too long to keep all: this turn cannot be replayed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// One answer of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostAnswer {
    pub installation: InstallationId,
    pub key: String,
    #[serde(with = "written")]
    pub answer: KvAnswer,
}

/// One list that the store gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListAnswer {
    pub installation: InstallationId,
    #[serde(flatten)]
    pub asked: ListAsked,
    pub answer: Result<Vec<String>, KvUnavailable>,
}

/// What a session leaves for the journal.
#[derive(Debug, Default)]
pub(in crate::plugin_host) struct Asked {
    pub(in crate::plugin_host) answers: Vec<HostAnswer>,
    pub(in crate::plugin_host) lists: Vec<ListAnswer>,
    pub(in crate::plugin_host) used: Option<(InstallationId, Result<u64, KvUnavailable>)>,
    pub(in crate::plugin_host) http: Vec<HttpRecord>,
}

impl HostAnswers {
    pub(in crate::plugin_host) fn extend(&mut self, more: Asked) {
        self.used.extend(more.used);
        for answer in more.answers {
            if self.fits(answer.bytes()) {
                self.answers.push(answer);
            }
        }
        for list in more.lists {
            if self.fits(list.bytes()) {
                self.lists.push(list);
            }
        }
        for record in more.http {
            if self.fits(record.bytes()) {
                self.http.push(record);
            }
        }
    }

    /// Is there room for so many more? If not, that is noted.
    fn fits(&mut self, more: usize) -> bool {
        let answers: usize = self.answers.iter().map(HostAnswer::bytes).sum();
        let lists: usize = self.lists.iter().map(ListAnswer::bytes).sum();
        let http: usize = self.http.iter().map(HttpRecord::bytes).sum();
        let fits = answers + lists + http + self.reads.bytes() + more <= JOURNAL_BYTES;
        self.truncated |= !fits;
        fits && !self.truncated
    }

    /// What the turn's plugins read, kept when there is room for it.
    pub(in crate::plugin_host) fn read(&mut self, reads: ReadAnswers) {
        if !self.fits(reads.bytes()) {
            return;
        }
        self.reads = reads;
    }
}

impl ListAnswer {
    fn bytes(&self) -> usize {
        let keys = self.answer.iter().flatten().map(|key| key.len() + 3);
        self.asked.prefix.len() + self.asked.after.len() + 64 + keys.sum::<usize>()
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
    ) -> BoxFuture<'a, KvAnswer> {
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

    fn list<'a>(
        &'a self,
        _tenant: TenantId,
        installation: InstallationId,
        asked: &'a ListAsked,
    ) -> BoxFuture<'a, Result<Vec<String>, KvUnavailable>> {
        let known = self
            .lists
            .iter()
            .find(|list| list.installation == installation && list.asked == *asked);
        let answer = match known {
            Some(known) => known.answer.clone(),
            None => Err(KvUnavailable("not in the journal".to_owned())),
        };
        Box::pin(std::future::ready(answer))
    }

    fn used(
        &self,
        _tenant: TenantId,
        installation: InstallationId,
    ) -> BoxFuture<'_, Result<u64, KvUnavailable>> {
        let known = self.used.iter().find(|(of, _)| *of == installation);
        let used = known.map_or(Ok(0), |(_, used)| used.clone());
        Box::pin(std::future::ready(used))
    }
}

/// An answer as the journal has it: bytes as base64, a third longer than they are. As JSON's list of numbers they would
/// be nearly four times as long.
mod written {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    use crate::plugin_host::kv::{KvAnswer, KvUnavailable};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Written {
        Value(String, i64),
        Absent,
        Unavailable(String),
    }

    pub(super) fn serialize<S: Serializer>(answer: &KvAnswer, to: S) -> Result<S::Ok, S::Error> {
        let written = match answer {
            Ok(Some((value, version))) => Written::Value(STANDARD.encode(value), *version),
            Ok(None) => Written::Absent,
            Err(unavailable) => Written::Unavailable(unavailable.0.clone()),
        };
        written.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<KvAnswer, D::Error> {
        Ok(match Written::deserialize(from)? {
            Written::Value(value, version) => {
                let value = STANDARD.decode(value).map_err(D::Error::custom)?;
                Ok(Some((value, version)))
            }
            Written::Absent => Ok(None),
            Written::Unavailable(why) => Err(KvUnavailable(why)),
        })
    }
}
