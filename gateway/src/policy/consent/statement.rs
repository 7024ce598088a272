//! Statements about consent that come with evidence: opt-ins and withdrawals from forms, staff, lists and the API.

use super::{ConsentState, OptOut};
use crate::domain::{ConsentScope, Timestamp, Topics};

/// Topics that one tenant may have: each is a bit of a signed number, whose sign stays free.
pub const TOPICS_MOST: u8 = 62;

/// What a statement covers, as policy sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    All,
    Marketing,
    Utility,
    /// Its bit.
    Topic(u8),
}

impl Purpose {
    /// What a scope covers; `None`: nothing that anybody may state, or a topic that is not there.
    pub fn of(scope: &ConsentScope, topics: &Topics) -> Option<Self> {
        match scope {
            ConsentScope::All => Some(Self::All),
            ConsentScope::Marketing => Some(Self::Marketing),
            ConsentScope::Utility => Some(Self::Utility),
            ConsentScope::Topic(name) => topics.bit(name).map(Self::Topic),
            ConsentScope::AllButSecurity
            | ConsentScope::Replies
            | ConsentScope::MetaMarketing
            | ConsentScope::Number(_) => None,
        }
    }
}

impl ConsentState {
    /// The state after an opt-in that was given at `at`.
    ///
    /// One from before an opt-out that is in force changes nothing. A later one is on record; it lifts the opt-out only
    /// if the person gave it by an act of their own, and as far as it covers what they had stopped.
    #[must_use]
    pub fn after_given(&self, purpose: Purpose, at: Timestamp, own_act: bool) -> Self {
        match purpose {
            Purpose::All => self
                .after_marketing_given(at, own_act, true)
                .after_utility_given(at, own_act),
            Purpose::Marketing => self.after_marketing_given(at, own_act, false),
            Purpose::Utility => self.after_utility_given(at, own_act),
            Purpose::Topic(_) if self.is_stopped_since(at) => *self,
            Purpose::Topic(bit) => Self {
                topics: self.topics | mask(bit),
                topics_stopped: match own_act {
                    true => self.topics_stopped & !mask(bit),
                    false => self.topics_stopped,
                },
                ..*self
            },
        }
    }

    /// The state after a withdrawal. It counts however late it comes, like a word.
    #[must_use]
    pub fn after_withdrawn(&self, purpose: Purpose, at: Timestamp) -> Self {
        let without_marketing = Self {
            marketing_given_at: None,
            topics: 0,
            ..*self
        };
        match purpose {
            Purpose::All => Self {
                utility_given_at: None,
                ..without_marketing
                    .after_opt_out(OptOut::BusinessInitiated, at)
                    .0
            },
            Purpose::Marketing => without_marketing.after_opt_out(OptOut::Marketing, at).0,
            Purpose::Utility => Self {
                utility_given_at: None,
                utility_stopped_at: self.utility_stopped_at.max(Some(at)),
                ..*self
            },
            Purpose::Topic(bit) => Self {
                topics: self.topics & !mask(bit),
                topics_stopped: self.topics_stopped | mask(bit),
                ..*self
            },
        }
    }

    /// Is there an opt-in to this topic on record?
    pub fn has_topic(&self, bit: u8) -> bool {
        self.topics & mask(bit) != 0
    }

    /// Was this topic withdrawn by itself?
    pub fn has_stopped_topic(&self, bit: u8) -> bool {
        self.topics_stopped & mask(bit) != 0
    }

    /// Is an opt-out in force that was said at `at` or later?
    fn is_stopped_since(&self, at: Timestamp) -> bool {
        self.opt_out != OptOut::None && !self.is_before(at)
    }

    fn after_marketing_given(&self, at: Timestamp, own_act: bool, covers_all: bool) -> Self {
        if self.is_stopped_since(at) {
            return *self;
        }
        let given = Self {
            marketing_given_at: self.marketing_given_at.max(Some(at)),
            ..*self
        };
        let covered = covers_all || self.opt_out == OptOut::Marketing;
        if !own_act || !covered || self.opt_out == OptOut::None {
            return given;
        }
        Self {
            opt_out: OptOut::None,
            since: Some(at),
            replies_reopened_at: None,
            ..given
        }
    }

    fn after_utility_given(&self, at: Timestamp, own_act: bool) -> Self {
        let stops_utility = !matches!(self.opt_out, OptOut::None | OptOut::Marketing);
        let stopped_later = self.utility_stopped_at.is_some_and(|stopped| at <= stopped);
        if stopped_later || (stops_utility && self.is_stopped_since(at)) {
            return *self;
        }
        Self {
            utility_given_at: self.utility_given_at.max(Some(at)),
            utility_stopped_at: self.utility_stopped_at.filter(|_| !own_act),
            ..*self
        }
    }
}

fn mask(bit: u8) -> i64 {
    1_i64.checked_shl(u32::from(bit)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::ConsentWord::{OptIn, OptOutAll, OptOutMarketing};

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn stopped() -> ConsentState {
        ConsentState::default()
            .after_inbound(Some(OptOutAll), at(10))
            .0
    }

    #[test]
    fn an_older_list_never_undoes_an_opt_out() {
        for own in [true, false] {
            assert_eq!(stopped().after_given(Purpose::All, at(10), own), stopped());
        }
        let listed = stopped().after_given(Purpose::All, at(11), false);
        assert_eq!(listed.opt_out, OptOut::BusinessInitiated);
        // On record all the same: START opens what was agreed to.
        let back = listed.after_inbound(Some(OptIn), at(12)).0;
        assert_eq!(
            (back.opt_out, back.marketing_given_at),
            (OptOut::None, Some(at(11)))
        );
    }

    #[test]
    fn an_own_act_lifts_what_it_covers_and_no_more() {
        let lifted = stopped().after_given(Purpose::All, at(11), true);
        assert_eq!((lifted.opt_out, lifted.since), (OptOut::None, Some(at(11))));
        let part = stopped().after_given(Purpose::Marketing, at(11), true);
        assert_eq!(part.opt_out, OptOut::BusinessInitiated);
        let no_ads = ConsentState::default()
            .after_inbound(Some(OptOutMarketing), at(10))
            .0;
        let ads = no_ads.after_given(Purpose::Marketing, at(11), true);
        assert_eq!(ads.opt_out, OptOut::None);
    }

    #[test]
    fn withdrawals_take_the_opt_in_away_for_good() {
        let given = ConsentState::default().after_given(Purpose::All, at(1), true);
        let gone = given.after_withdrawn(Purpose::All, at(2));
        assert_eq!(
            (gone.marketing_given_at, gone.utility_given_at),
            (None, None)
        );
        let back = gone.after_inbound(Some(OptIn), at(3)).0;
        assert_eq!(
            (back.opt_out, back.marketing_given_at),
            (OptOut::None, None)
        );
        let utility = given.after_withdrawn(Purpose::Utility, at(2));
        assert_eq!(utility.utility_stopped_at, Some(at(2)));
        assert_eq!(utility.after_given(Purpose::Utility, at(2), true), utility);
        let again = utility.after_given(Purpose::Utility, at(3), true);
        assert_eq!(
            (again.utility_stopped_at, again.utility_given_at),
            (None, Some(at(3)))
        );
    }

    #[test]
    fn topics_are_their_own_and_never_move() {
        let news = ConsentState::default().after_given(Purpose::Topic(61), at(1), true);
        assert!(news.has_topic(61) && !news.has_topic(0));
        let out = news.after_withdrawn(Purpose::Topic(61), at(2));
        assert!(!out.has_topic(61) && out.has_stopped_topic(61));
        assert!(
            !news
                .after_withdrawn(Purpose::Marketing, at(2))
                .has_topic(61)
        );
        let moved = news.after_given(Purpose::All, at(1), true).moved();
        assert_eq!(
            (
                moved.topics,
                moved.marketing_given_at,
                moved.utility_given_at
            ),
            (0, None, None)
        );
        assert!(out.moved().has_stopped_topic(61));
        let joined =
            ConsentState::default().joined(&news.after_withdrawn(Purpose::Topic(3), at(3)));
        assert!(joined.has_stopped_topic(3) && !joined.has_topic(61));
    }
}
