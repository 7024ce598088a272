//! Answers of turns that have not committed yet: a run after a lost race, and a shadow beside it, are told the same.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use crate::domain::{ConversationId, InstallationId};
use crate::plugin_host::{HttpAnswer, HttpAsked};
use crate::sync::lock;

/// By what a turn is known in all its runs.
pub(super) type Key = (ConversationId, i64);

/// Bytes of answers that are remembered on a node. Turns whose buckets moved away never say that they are over: the
/// oldest go. A guess: a hundred turns with the longest answers.
const MOST: usize = 32 << 20;

#[derive(Default)]
pub(super) struct Recall(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    turns: HashMap<Key, Vec<Answered>>,
    /// In the order of their coming; some may be gone.
    order: VecDeque<Key>,
    bytes: usize,
}

struct Answered {
    installation: InstallationId,
    ordinal: u32,
    mark: String,
    answer: HttpAnswer,
}

impl Answered {
    fn is_of(&self, asked: &HttpAsked) -> bool {
        (self.installation, self.ordinal) == (asked.installation, asked.ordinal)
            && self.mark == asked.mark
    }

    fn bytes(&self) -> usize {
        let answer = self.answer.as_ref().map_or(0, |response| {
            let headers = response.headers.iter();
            let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
            headers + response.body.len()
        });
        answer + 256
    }
}

impl Recall {
    pub(super) fn get(&self, key: Key, asked: &HttpAsked) -> Option<HttpAnswer> {
        let kept = lock(&self.0);
        let mut known = kept.turns.get(&key)?.iter();
        known
            .find(|answered| answered.is_of(asked))
            .map(|answered| answered.answer.clone())
    }

    pub(super) fn keep(&self, key: Key, asked: &HttpAsked, answer: HttpAnswer) {
        let answered = Answered {
            installation: asked.installation,
            ordinal: asked.ordinal,
            mark: asked.mark.clone(),
            answer,
        };
        let mut kept = lock(&self.0);
        kept.bytes += answered.bytes();
        if !kept.turns.contains_key(&key) {
            kept.order.push_back(key);
        }
        kept.turns.entry(key).or_default().push(answered);
        while kept.bytes > MOST {
            let Some(oldest) = kept.order.pop_front() else {
                break;
            };
            kept.forget(oldest);
        }
    }

    pub(super) fn forget(&self, key: Key) {
        let mut kept = lock(&self.0);
        if kept.forget(key) {
            kept.order.retain(|other| *other != key);
        }
    }
}

impl Kept {
    fn forget(&mut self, key: Key) -> bool {
        let gone = self.turns.remove(&key);
        let bytes: usize = gone.iter().flatten().map(Answered::bytes).sum();
        self.bytes -= bytes;
        gone.is_some()
    }
}
