//! What changed between two states, in the ledger's words: for changes that nobody stated in so many words.

use super::{ConsentState, OptOut};
use crate::domain::{ConsentScope, ConsentStatus};

/// One record's worth of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub scope: ConsentScope,
    pub status: ConsentStatus,
}

impl OptOut {
    /// What an opt-out of this level stops.
    fn scope(self) -> Option<ConsentScope> {
        match self {
            Self::None => None,
            Self::Marketing => Some(ConsentScope::Marketing),
            Self::BusinessInitiated => Some(ConsentScope::All),
            Self::AllButSecurity | Self::Everything => Some(ConsentScope::AllButSecurity),
        }
    }
}

impl ConsentState {
    /// The records that a change to `next` needs, in a fixed order; none when nothing changed. `topic` names a bit.
    pub fn changes_to(&self, next: &Self, topic: impl Fn(u8) -> Option<String>) -> Vec<Changed> {
        let mut changes = Vec::new();
        let mut add = |scope: ConsentScope, given: bool| {
            let status = match given {
                true => ConsentStatus::Given,
                false => ConsentStatus::Withdrawn,
            };
            changes.push(Changed { scope, status });
        };
        // A word that is said again is a record again.
        if self.opt_out != next.opt_out || self.since != next.since {
            match (self.opt_out.scope(), next.opt_out.scope()) {
                (_, Some(scope)) => add(scope, false),
                (Some(scope), None) => add(scope, true),
                (None, None) => {}
            }
        }
        let replies = (self.replies_reopened_at, next.replies_reopened_at);
        if replies.1.is_some() && replies.0 != replies.1 {
            add(ConsentScope::Replies, true);
        }
        for (scope, before, after, given) in [
            (
                ConsentScope::MetaMarketing,
                self.meta_stopped_at,
                next.meta_stopped_at,
                false,
            ),
            (
                ConsentScope::Utility,
                self.utility_stopped_at,
                next.utility_stopped_at,
                false,
            ),
            (
                ConsentScope::Marketing,
                self.marketing_given_at,
                next.marketing_given_at,
                true,
            ),
            (
                ConsentScope::Utility,
                self.utility_given_at,
                next.utility_given_at,
                true,
            ),
        ] {
            if before != after {
                add(scope, after.is_some() == given);
            }
        }
        for bit in 0..super::TOPICS_MOST {
            let name = || topic(bit).map(ConsentScope::Topic);
            if next.has_topic(bit) != self.has_topic(bit) {
                name()
                    .into_iter()
                    .for_each(|scope| add(scope, next.has_topic(bit)));
            } else if next.has_stopped_topic(bit) && !self.has_stopped_topic(bit) {
                name().into_iter().for_each(|scope| add(scope, false));
            }
        }
        changes
    }

    /// Is anything of it a decision of the person's, so that a new contact of theirs must not begin without it?
    pub fn stops_anything(&self) -> bool {
        self.opt_out != OptOut::None
            || self.meta_stopped_at.is_some()
            || self.utility_stopped_at.is_some()
            || self.topics_stopped != 0
    }

    /// What of it survives an erasure: what was stopped, and since when.
    #[must_use]
    pub fn only_stops(&self) -> Self {
        self.moved()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::policy::ConsentWord::{self, OptIn, OptOutAll, OptOutMarketing};
    use crate::policy::consent::Purpose;

    fn words(states: &[ConsentState]) -> Vec<String> {
        let topic = |bit| Some(format!("t{bit}"));
        let pairs = states.windows(2);
        let all = pairs.flat_map(|pair| pair[0].changes_to(&pair[1], topic));
        all.map(|one| format!("{} {}", one.scope, one.status.word()))
            .collect()
    }

    #[test]
    fn every_change_has_its_record_and_nothing_has_none() {
        let at = Timestamp::from_secs;
        let none = ConsentState::default();
        let say =
            |state: &ConsentState, word: Option<ConsentWord>, s| state.after_inbound(word, at(s)).0;
        let stop = say(&none, Some(OptOutAll), 1);
        let wrote = say(&stop, None, 2);
        let stop2 = say(&wrote, Some(OptOutAll), 3);
        let back = say(&stop2, Some(OptIn), 4);
        assert_eq!(
            words(&[none, none, stop, wrote, stop2, back, back]),
            [
                "all withdrawn",
                "replies given",
                "all withdrawn",
                "all given"
            ]
        );
        let met = none.after_meta_stop(at(5));
        assert_eq!(
            words(&[none, met, met.after_meta_resume(at(6))]),
            ["meta_marketing withdrawn", "meta_marketing given"]
        );
        let given = none.after_given(Purpose::Topic(3), at(1), true);
        let moved = given.after_given(Purpose::Utility, at(1), true).moved();
        assert_eq!(
            words(&[
                none,
                given,
                given.after_given(Purpose::Utility, at(1), true),
                moved
            ]),
            [
                "topic:t3 given",
                "utility given",
                "utility withdrawn",
                "topic:t3 withdrawn"
            ]
        );
        assert_eq!(
            words(&[none, say(&none, Some(OptOutMarketing), 1)]),
            ["marketing withdrawn"]
        );
    }
}
