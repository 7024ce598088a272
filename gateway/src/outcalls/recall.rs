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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::TenantId;
    use crate::plugin_host::{HttpRefused, HttpRequest, HttpResponse, Method};

    fn asked(ordinal: u32, mark: &str) -> HttpAsked {
        HttpAsked {
            tenant: TenantId::from_raw(1),
            installation: InstallationId::from_raw(2),
            ordinal,
            mark: mark.to_owned(),
            request: Arc::new(HttpRequest {
                method: Method::Get,
                url: "https://shop.example/".to_owned(),
                headers: Vec::new(),
                body: None,
                timeout: None,
            }),
        }
    }

    fn turn(n: i64) -> Key {
        (ConversationId::from_raw(n), 1)
    }

    fn answer(bytes: usize) -> HttpAnswer {
        Ok(HttpResponse {
            status: 200,
            headers: Vec::new(),
            body: vec![0; bytes],
        })
    }

    #[test]
    fn the_same_request_in_the_same_place_of_the_same_turn_is_known_until_it_is_over() {
        let recall = Recall::default();
        let timeout = Err(HttpRefused::Timeout);
        recall.keep(turn(1), &asked(0, "a"), answer(1));
        recall.keep(turn(1), &asked(1, "b"), timeout.clone());
        assert_eq!(recall.get(turn(1), &asked(0, "a")), Some(answer(1)));
        assert_eq!(recall.get(turn(1), &asked(1, "b")), Some(timeout));
        for (key, asked) in [
            (turn(2), asked(0, "a")),
            ((ConversationId::from_raw(1), 2), asked(0, "a")),
            (turn(1), asked(1, "a")),
            (turn(1), asked(0, "b")),
        ] {
            assert_eq!(recall.get(key, &asked), None);
        }
        recall.forget(turn(1));
        assert_eq!(recall.get(turn(1), &asked(0, "a")), None);
        assert_eq!(lock(&recall.0).bytes, 0);
    }

    #[test]
    fn the_oldest_turns_go_when_there_are_too_many() {
        let recall = Recall::default();
        for n in 0..100 {
            recall.keep(turn(n), &asked(0, "a"), answer(MOST / 10));
        }
        assert!(lock(&recall.0).bytes <= MOST);
        assert_eq!(recall.get(turn(0), &asked(0, "a")), None);
        assert!(recall.get(turn(99), &asked(0, "a")).is_some());
    }
}
