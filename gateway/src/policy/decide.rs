//! The two gates: the rules in their order, and the only maker of [`Cleared`].
//!
//! No rule is written here, each has its own file. The order matters to what the sender is told, never to whether
//! the draft goes out.

use std::ops::Deref;

use crate::domain::{Draft, Timestamp};

use super::facts::Facts;
use super::reason::Reason;
use super::{backlog, brake, category, holds, limits, ownership, shape, suppression, window};

/// What becomes of a draft.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    Cleared(Cleared<Draft>),
    Refused(Refusal),
    /// Nothing against it but the moment: ask again at `until`.
    Deferred {
        until: Timestamp,
        reason: Reason,
    },
}

/// A draft that may not be sent, and what may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    /// What would be let through instead, for people.
    pub allowed: Option<String>,
    /// When this very draft would be let through, when that is known.
    pub from: Option<Timestamp>,
}

impl Refusal {
    pub(super) fn new(reason: Reason) -> Self {
        Self {
            reason,
            allowed: None,
            from: None,
        }
    }

    pub(super) fn allowing(mut self, what: impl Into<String>) -> Self {
        self.allowed = Some(what.into());
        self
    }

    pub(super) fn from(mut self, from: Option<Timestamp>) -> Self {
        self.from = from;
        self
    }
}

/// Proof that policy said yes. The outbox takes nothing else.
///
/// The field is private and nothing outside this file builds one, so there is no way round policy. It is not
/// `Clone` and moves into the row it clears: one decision clears one send, and a later one must ask again.
///
/// ```compile_fail
/// fn forge(draft: vestibule::domain::Draft) -> vestibule::policy::Cleared<vestibule::domain::Draft> {
///     vestibule::policy::Cleared(draft)
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Cleared<T>(T);

impl<T> Cleared<T> {
    /// The cleared thing. What comes out is an ordinary draft again and cannot be cleared but by a gate.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Cleared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

type Rule = fn(&Facts, &Draft, Timestamp) -> Result<(), Refusal>;

/// What holds at both gates, in the order of design.md §5.
const RULES: &[Rule] = &[
    holds::may_send,
    ownership::may_speak,
    suppression::consents,
    shape::fits,
    window::lets_through,
    category::is_consented,
    limits::person_has_room,
    limits::portfolio_has_room,
    limits::month_has_room,
];

/// The first gate: may this draft enter the outbox?
pub fn decide(facts: &Facts, draft: &Draft, now: Timestamp) -> Decision {
    judge(facts, draft, now, brake::is_loose)
}

/// The second gate: delivery has read the draft back, with the consent row locked, and is about to send it.
///
/// The same rules but one: the loop brake counted this draft when it was cleared, and replies cleared after it must
/// not stop it now.
pub fn recheck(facts: &Facts, draft: &Draft, now: Timestamp) -> Decision {
    judge(facts, draft, now, |_, _, _| Ok(()))
}

/// What becomes of a draft that asks for a place in the outbox.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It has one. With `waits`: not to be sent before that time, and for that reason; then it is decided again.
    Admitted {
        draft: Cleared<Draft>,
        waits: Option<(Timestamp, Reason)>,
    },
    Refused(Refusal),
}

/// The first gate for who queues a draft: what [`decide`] defers has its place too, and leaves it when it is due.
pub fn admit(facts: &Facts, draft: &Draft, now: Timestamp) -> Admission {
    let waits = match decide(facts, draft, now) {
        Decision::Cleared(draft) => return Admission::Admitted { draft, waits: None },
        Decision::Refused(refusal) => return Admission::Refused(refusal),
        Decision::Deferred { until, reason } => Some((until, reason)),
    };
    Admission::Admitted {
        draft: Cleared(draft.clone()),
        waits,
    }
}

fn judge(facts: &Facts, draft: &Draft, now: Timestamp, last: Rule) -> Decision {
    let refused = RULES
        .iter()
        .chain([&last])
        .find_map(|rule| rule(facts, draft, now).err());
    if let Some(refusal) = refused {
        return Decision::Refused(refusal);
    }
    let backlog = backlog::wait_until(facts, draft, now);
    let waits = backlog
        .map(|until| (until, Reason::IngestBacklog))
        .into_iter()
        .chain(limits::wait_until(facts, draft, now))
        .max_by_key(|(until, _)| *until);
    match waits {
        Some((until, reason)) => Decision::Deferred { until, reason },
        None => Decision::Cleared(Cleared(draft.clone())),
    }
}
