//! Memory of this plugin at this tenant (grant `kv`): committed with the turn, or not at all.
//!
//! Keys have at most 256 bytes, values 64 KiB. What belongs to one customer goes into a [`Space`] of its
//! own.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Failure, host};

/// Why the memory did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KvError {
    /// The grant is missing: the manifest does not ask for it, or nobody gave it.
    Denied,
    /// A limit is used up; the text says which.
    Quota(String),
    /// The stored value is not what the call needs.
    Invalid(String),
    /// The store did not answer; the turn can be tried again.
    Unavailable(String),
    /// For a reason that came after this version of the contract; the text says which.
    Other(String),
}

/// Whose memory it is: the same key names a different value in each space.
///
/// ```
/// # use vestibule_plugin::{kv::Space, Outcome, Turn};
/// # fn reply(turn: &mut Turn) -> Outcome {
/// let visits = Space::Contact.number("visits")? + 1;
/// Space::Contact.set("visits", visits.to_string().as_bytes())?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Space {
    /// All of the tenant's conversations: what the functions of this module mean.
    Tenant,
    /// This contact's, over all numbers.
    Contact,
    /// This conversation's.
    Conversation,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In the order of their bytes.
    pub keys: Vec<String>,
    /// Where the next part begins: give it as `after`. None: this was the last.
    pub next: Option<String>,
}

impl Space {
    /// The bytes under `key`, as this turn left them.
    pub fn get(self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        host::kv_get(self, key)
    }

    pub fn set(self, key: &str, value: &[u8]) -> Result<(), KvError> {
        host::kv_set(self, key, value, None)
    }

    /// Keeps a value for so long.
    pub fn set_for(self, key: &str, value: &[u8], ttl: Duration) -> Result<(), KvError> {
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        host::kv_set(self, key, value, Some(ttl))
    }

    pub fn delete(self, key: &str) -> Result<(), KvError> {
        host::kv_delete(self, key)
    }

    /// Adds without reading: see [`add`].
    pub fn add(self, key: &str, delta: i64) -> Result<(), KvError> {
        host::kv_add(self, key, delta)
    }

    /// A number kept by [`Space::add`]; 0 when there is none.
    pub fn number(self, key: &str) -> Result<i64, KvError> {
        let Some(bytes) = self.get(key)? else {
            return Ok(0);
        };
        let text = std::str::from_utf8(&bytes).ok();
        let number = text.and_then(|text| text.parse().ok());
        number.ok_or_else(|| KvError::Invalid(format!("`{key}` is no number")))
    }

    /// Keys that begin with `prefix`, at most `most` (1 to 100) of them, those after `after`. Sees what the turn wrote.
    pub fn list(self, prefix: &str, after: Option<&str>, most: u32) -> Result<Page, KvError> {
        host::kv_list(self, prefix, after, most)
    }
}

/// The bytes under `key`, as this turn left them.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, KvError> {
    Space::Tenant.get(key)
}

pub fn set(key: &str, value: &[u8]) -> Result<(), KvError> {
    Space::Tenant.set(key, value)
}

pub fn delete(key: &str) -> Result<(), KvError> {
    Space::Tenant.delete(key)
}

/// Adds without reading, so that many conversations can count at once and none has to run again. The number is kept as
/// decimal text; an absent key counts from 0. What is stored is not looked at: a value that is no number is found at the
/// commit, which leaves it as it is and says so in the turn's journal.
pub fn add(key: &str, delta: i64) -> Result<(), KvError> {
    Space::Tenant.add(key, delta)
}

/// A number kept by [`add`]; 0 when there is none.
pub fn number(key: &str) -> Result<i64, KvError> {
    Space::Tenant.number(key)
}

/// A value kept by [`set_json`].
///
/// ```
/// # use vestibule_plugin::{kv, Outcome, Turn};
/// #[derive(Default, serde::Serialize, serde::Deserialize)]
/// struct Order { items: Vec<String> }
///
/// # fn reply(turn: &mut Turn) -> Outcome {
/// let key = format!("order/{}", turn.conversation().id());
/// let mut order: Order = kv::get_json(&key)?.unwrap_or_default();
/// order.items.push(turn.message().text());
/// kv::set_json(&key, &order)?;
/// # Ok(())
/// # }
/// ```
pub fn get_json<T: DeserializeOwned>(key: &str) -> Result<Option<T>, KvError> {
    let Some(bytes) = get(key)? else {
        return Ok(None);
    };
    let value = serde_json::from_slice(&bytes);
    value
        .map(Some)
        .map_err(|error| KvError::Invalid(format!("`{key}`: {error}")))
}

/// Keeps a value as JSON.
pub fn set_json<T: Serialize>(key: &str, value: &T) -> Result<(), KvError> {
    let json = serde_json::to_vec(value);
    let json = json.map_err(|error| KvError::Invalid(format!("`{key}`: {error}")))?;
    set(key, &json)
}

impl fmt::Display for KvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => write!(f, "the grant `kv` is missing"),
            Self::Quota(what) => write!(f, "kv is full: {what}"),
            Self::Invalid(what) => write!(f, "kv value: {what}"),
            Self::Unavailable(why) => write!(f, "kv did not answer: {why}"),
            Self::Other(why) => write!(f, "kv has no result: {why}"),
        }
    }
}

impl std::error::Error for KvError {}

/// How soon a turn is worth trying again after its memory did not answer. A guess: most stores are back within it.
const UNAVAILABLE_PAUSE: Duration = Duration::from_secs(1);

impl From<KvError> for Failure {
    fn from(error: KvError) -> Self {
        match error {
            KvError::Denied => Failure::Reject(error.to_string()),
            KvError::Unavailable(_) => Failure::Retry(UNAVAILABLE_PAUSE),
            KvError::Quota(_) | KvError::Invalid(_) | KvError::Other(_) => {
                Failure::Fault(error.to_string())
            }
        }
    }
}
