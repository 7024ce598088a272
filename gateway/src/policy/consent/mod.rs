//! What a person has said about being written to, and how their words change it.
//!
//! [`ConsentState`] is one row per contact: the projection that every send is checked against. It is changed by the
//! person's own messages, by Meta's, and by statements with evidence (`statement`); the ledger has a record of each change. Whether a draft may go out under it is `suppression`'s.

mod changes;
mod effect;
mod opt_out;
mod parts;
mod statement;

pub use changes::Changed;
pub use effect::{ConfirmationKind, ConsentEffect};
pub use opt_out::OptOut;
pub use parts::ConsentParts;
pub use statement::{Purpose, TOPICS_MOST};

use crate::domain::Timestamp;

/// A word that speaks of consent, recognised by [`WordBook`](super::WordBook).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConsentWord {
    OptOutAll,
    OptOutMarketing,
    OptOutEverything,
    OptIn,
}

/// What a contact's consent row says. `Default` is somebody who never said anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConsentState {
    pub opt_out: OptOut,
    /// Meta's time of the latest word that stopped or lifted anything; it never goes back.
    pub since: Option<Timestamp>,
    /// Meta's time of the first message after a STOP: replies are open again.
    pub replies_reopened_at: Option<Timestamp>,
    /// When Meta told us that the person stopped marketing in WhatsApp itself (`user_preferences`, 131050). No word
    /// lifts it, only Meta's `resume` (§10.2).
    pub meta_stopped_at: Option<Timestamp>,
    /// When the opt-in to marketing that is on record was given; `None`: none is, or it was withdrawn.
    pub marketing_given_at: Option<Timestamp>,
    pub utility_given_at: Option<Timestamp>,
    /// When utility messages alone were withdrawn.
    pub utility_stopped_at: Option<Timestamp>,
    /// Topics with an opt-in on record, a bit each ([`TOPICS_MOST`]).
    pub topics: i64,
    /// Topics that were withdrawn by themselves.
    pub topics_stopped: i64,
}

impl ConsentState {
    /// The state after a message of the person: `word` if it was one, `at` Meta's time of it.
    ///
    /// Call it for what people write and tap, in the order of attachment; not for reactions and system notices. What
    /// was written before the opt-out (a late webhook) or in the same second opens and lifts nothing; an opt-out word
    /// always counts, however late it comes.
    #[must_use]
    pub fn after_inbound(&self, word: Option<ConsentWord>, at: Timestamp) -> (Self, ConsentEffect) {
        match word {
            None => self.after_message(at),
            Some(ConsentWord::OptIn) => self.after_opt_in(at),
            Some(ConsentWord::OptOutMarketing) => self.after_opt_out(OptOut::Marketing, at),
            Some(ConsentWord::OptOutAll) => self.after_opt_out(OptOut::BusinessInitiated, at),
            Some(ConsentWord::OptOutEverything) => self.after_opt_out(OptOut::AllButSecurity, at),
        }
    }

    /// The state after Meta said that the person stopped marketing (`user_preferences` stop, or 131050 to a send).
    #[must_use]
    pub fn after_meta_stop(&self, at: Timestamp) -> Self {
        Self {
            meta_stopped_at: self.meta_stopped_at.max(Some(at)),
            ..*self
        }
    }

    /// The state after `user_preferences` resume, chosen at `at`: Meta's own stop is gone, the person's words stand.
    ///
    /// A resume from before the stop came late and lifts nothing. Meta's times are whole seconds: one of the stop's own
    /// second counts as later, because Meta sends no second one.
    #[must_use]
    pub fn after_meta_resume(&self, at: Timestamp) -> Self {
        let second = |at: Timestamp| at.millis().div_euclid(1000);
        Self {
            meta_stopped_at: self
                .meta_stopped_at
                .filter(|stopped| second(at) < second(*stopped)),
            ..*self
        }
    }

    /// The state of one person who was taken for two: whatever either stopped, and no opt-in of one for the other.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Self {
        let reopened = self.replies_reopened_at.max(other.replies_reopened_at);
        Self {
            opt_out: self.opt_out.and(other.opt_out),
            since: self.since.max(other.since),
            replies_reopened_at: reopened.filter(|_| self.replies_open() && other.replies_open()),
            meta_stopped_at: self.meta_stopped_at.max(other.meta_stopped_at),
            utility_stopped_at: self.utility_stopped_at.max(other.utility_stopped_at),
            topics_stopped: self.topics_stopped | other.topics_stopped,
            ..*self
        }
    }

    /// The state of a person who has another number or user id since: opt-outs go with them, opt-ins do not (design.md
    /// §5), so replies are closed again until they write from there.
    #[must_use]
    pub fn moved(&self) -> Self {
        Self {
            replies_reopened_at: None,
            marketing_given_at: None,
            utility_given_at: None,
            topics: 0,
            ..*self
        }
    }

    /// May the business answer?
    pub fn replies_open(&self) -> bool {
        match self.opt_out {
            OptOut::None | OptOut::Marketing => true,
            OptOut::BusinessInitiated => self.replies_reopened_at.is_some(),
            OptOut::AllButSecurity | OptOut::Everything => false,
        }
    }

    fn after_message(&self, at: Timestamp) -> (Self, ConsentEffect) {
        let reopens = self.opt_out == OptOut::BusinessInitiated
            && self.replies_reopened_at.is_none()
            && self.is_before(at);
        let next = Self {
            replies_reopened_at: if reopens {
                Some(at)
            } else {
                self.replies_reopened_at
            },
            ..*self
        };
        (next, self.effect(&next, None, true))
    }

    fn after_opt_out(&self, word: OptOut, at: Timestamp) -> (Self, ConsentEffect) {
        let opt_out = self.opt_out.and(word);
        // "Cancel" after a STOP adds nothing, so it leaves replies as they are: it never opens them.
        let adds = opt_out != self.opt_out || word != OptOut::Marketing;
        let next = Self {
            opt_out,
            since: self.since.max(Some(at)),
            replies_reopened_at: self.replies_reopened_at.filter(|_| !adds),
            ..*self
        };
        let confirmation = (opt_out != self.opt_out).then_some(match opt_out {
            OptOut::None | OptOut::Marketing => ConfirmationKind::MarketingStopped,
            OptOut::BusinessInitiated => ConfirmationKind::BusinessStopped,
            OptOut::AllButSecurity | OptOut::Everything => ConfirmationKind::AllStopped,
        });
        let reaches_plugins = word == OptOut::Marketing && next.replies_open();
        (next, self.effect(&next, confirmation, reaches_plugins))
    }

    fn after_opt_in(&self, at: Timestamp) -> (Self, ConsentEffect) {
        if self.opt_out == OptOut::None || !self.is_before(at) {
            return self.after_message(at);
        }
        let next = Self {
            opt_out: OptOut::None,
            since: Some(at),
            replies_reopened_at: None,
            ..*self
        };
        (
            next,
            self.effect(&next, Some(ConfirmationKind::Resumed), false),
        )
    }

    fn is_before(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| since < at)
    }

    fn effect(
        &self,
        next: &Self,
        confirmation: Option<ConfirmationKind>,
        reaches_plugins: bool,
    ) -> ConsentEffect {
        ConsentEffect {
            confirmation,
            changed: self != next,
            reaches_plugins,
        }
    }
}

#[cfg(test)]
mod tests;
