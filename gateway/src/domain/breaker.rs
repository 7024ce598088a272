//! When a version in service is taken out by itself, and how it comes back. Pure.
//!
//! Judged by what it did lately, here and on the nodes whose counts are heard of. A version with a good one behind it is rolled back; one without keeps its
//! place and its *breaker* opens: turns fall back at once and do not run it, until probes show that it is well again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConversationId, Timestamp};

/// What is borne of a version in service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerRule {
    /// Turns of so long count.
    pub window: Duration,
    /// Fewer turns within it show nothing.
    pub least_turns: u64,
    /// More faulty turns than this, in percent.
    pub fault_percent: f64,
    /// An open breaker lets nothing through for so long; then single turns try.
    pub open: Duration,
    /// So many turns in a row must go well before it closes.
    pub probes: u32,
}

impl Default for BreakerRule {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(60),
            least_turns: 20,
            fault_percent: 50.0,
            open: Duration::from_secs(30),
            probes: 3,
        }
    }
}

/// Faults of fewer conversations than this are theirs: one customer who has found a word that breaks a plugin must not
/// take it from everybody. A guess.
pub const LEAST_CONVERSATIONS: usize = 3;
/// Parts of the window that are forgotten one by one.
const SLICES: u32 = 6;

/// What a version did lately.
#[derive(Debug, Default)]
pub struct Recent {
    slices: VecDeque<Slice>,
    /// What all other nodes had counted when each slice of the window began, and what they have now.
    looks: VecDeque<(i64, Elsewhere)>,
    latest: Elsewhere,
}

/// Turns of a version and faulty ones among them, since ever, of each other node.
pub type Elsewhere = BTreeMap<i64, (u64, u64)>;

#[derive(Debug, Default)]
struct Slice {
    at: i64,
    turns: u64,
    faults: u64,
    /// Whose faults, as far as it matters.
    conversations: BTreeSet<ConversationId>,
}

impl Recent {
    /// Counts a turn; `faulty`: it could not end it.
    pub fn note(
        &mut self,
        rule: &BreakerRule,
        now: Timestamp,
        conversation: ConversationId,
        faulty: bool,
    ) {
        let at = self.forget_old(rule, now);
        if self.slices.back().is_none_or(|slice| slice.at < at) {
            self.slices.push_back(Slice {
                at,
                ..Slice::default()
            });
        }
        let Some(slice) = self.slices.back_mut() else {
            return;
        };
        slice.turns += 1;
        if faulty {
            slice.faults += 1;
            if slice.conversations.len() < LEAST_CONVERSATIONS {
                slice.conversations.insert(conversation);
            }
        }
    }

    /// Hears what other nodes have counted by now. What they counted before the first look does not count here.
    pub fn hear(&mut self, rule: &BreakerRule, now: Timestamp, elsewhere: Elsewhere) {
        let at = self.forget_old(rule, now);
        if self.looks.back().is_none_or(|(slice, _)| *slice < at) {
            self.looks.push_back((at, elsewhere.clone()));
        }
        self.latest = elsewhere;
    }

    /// Turns and faulty ones of each other node within the window.
    fn elsewhere(&self) -> impl Iterator<Item = (u64, u64)> {
        let before = self.looks.front().map(|(_, counts)| counts);
        let latest = self.latest.iter().filter(move |_| before.is_some());
        latest.map(move |(node, (turns, faults))| {
            let old = before.and_then(|counts| counts.get(node));
            let (old_turns, old_faults) = old.copied().unwrap_or_default();
            (
                turns.saturating_sub(old_turns),
                faults.saturating_sub(old_faults),
            )
        })
    }

    /// Did it fail here within the window?
    pub fn has_faults(&self) -> bool {
        self.slices.iter().any(|slice| slice.faults > 0)
    }

    /// Must the version go? In words, for its author.
    pub fn verdict(&self, rule: &BreakerRule) -> Option<String> {
        let here = self.slices.iter().map(|slice| (slice.turns, slice.faults));
        let all = here.chain(self.elsewhere());
        let (turns, faults) = all.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let conversations = self.slices.iter().flat_map(|slice| &slice.conversations);
        let conversations: BTreeSet<_> = conversations.collect();
        // A conversation is one node's: faults of another node are at least one more's.
        let of_others = self.elsewhere().filter(|(_, faults)| *faults > 0).count();
        let share = faults as f64 * 100.0 / turns.max(1) as f64;
        let passes = turns >= rule.least_turns.max(1)
            && share > rule.fault_percent
            && conversations.len() + of_others >= LEAST_CONVERSATIONS;
        passes.then(|| {
            format!(
                "{faults} of the last {turns} turns were faulty ({share:.1} %, at most {} %)",
                rule.fault_percent
            )
        })
    }

    /// Has it anything to say?
    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// Drops what is older than the window. Answers the slice of this moment.
    pub fn forget_old(&mut self, rule: &BreakerRule, now: Timestamp) -> i64 {
        let width = i64::try_from((rule.window / SLICES).as_millis()).unwrap_or(i64::MAX);
        let at = now.millis().div_euclid(width.max(1));
        let oldest = at - i64::from(SLICES) + 1;
        while self.slices.front().is_some_and(|slice| slice.at < oldest) {
            self.slices.pop_front();
        }
        while self.looks.front().is_some_and(|(at, _)| *at < oldest) {
            self.looks.pop_front();
        }
        at
    }
}

/// The breaker of an installation's active version while it is open, as all nodes know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// The version. Of another one it says nothing.
    pub seq: i64,
    /// Why it opened.
    pub reason: String,
    /// Unix milliseconds.
    pub opened_at: i64,
    /// From then on single turns try.
    pub probe_at: i64,
}

impl Breaker {
    /// Do single turns try it already?
    pub fn is_half_open(&self, now: Timestamp) -> bool {
        now.millis() >= self.probe_at
    }
}

/// How one node tries a version whose breaker is open: one turn at a time.
#[derive(Debug, Default)]
pub struct Probing {
    /// Whose turn tries it now, and since when.
    taken: Option<(ConversationId, Timestamp)>,
    /// Turns in a row that went well.
    good: u32,
    /// After a probe that failed nobody tries before.
    not_before: Option<Timestamp>,
}

/// A turn that says nothing for so long tries no more: it found no room, or never came to the plugin.
const LOST_PROBE: Duration = Duration::from_secs(10);

impl Probing {
    /// May a turn of this conversation try? The same turn may ask again.
    pub fn admit(&mut self, breaker: &Breaker, now: Timestamp, of: ConversationId) -> bool {
        let early = self.not_before.is_some_and(|at| now < at);
        if !breaker.is_half_open(now) || early {
            return false;
        }
        match self.taken {
            Some((conversation, since)) if now < since.plus(LOST_PROBE) => conversation == of,
            _ => {
                self.taken = Some((of, now));
                true
            }
        }
    }

    /// A turn of it is over. `true`: the breaker can close.
    pub fn note(&mut self, rule: &BreakerRule, now: Timestamp, faulty: bool) -> bool {
        self.taken = None;
        if faulty {
            self.good = 0;
            self.not_before = Some(now.plus(rule.open));
            return false;
        }
        self.good += 1;
        self.good >= rule.probes.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + seconds * 1_000)
    }

    fn of(n: i64) -> ConversationId {
        ConversationId::from_raw(n)
    }

    fn recent(turns: impl IntoIterator<Item = (i64, i64, bool)>) -> (Recent, BreakerRule) {
        let rule = BreakerRule::default();
        let mut recent = Recent::default();
        for (second, conversation, faulty) in turns {
            recent.note(&rule, at(second), of(conversation), faulty);
        }
        (recent, rule)
    }

    #[test]
    fn a_version_goes_when_more_than_half_of_enough_turns_were_faulty() {
        let (few, rule) = recent((0..19).map(|n| (0, n, true)));
        assert_eq!(few.verdict(&rule), None, "19 turns show nothing");
        let (half, _) = recent((0..20).map(|n| (0, n, n % 2 == 0)));
        assert_eq!(half.verdict(&rule), None, "just on the bound");
        let (more, _) = recent((0..20).map(|n| (0, n, n % 2 == 0 || n == 1)));
        let why = more.verdict(&rule).expect("more than half");
        assert!(why.contains("11 of the last 20 turns"), "{why}");
    }

    #[test]
    fn one_customer_alone_takes_no_plugin_from_the_others() {
        let (two, rule) = recent((0..200).map(|n| (0, n % 2, true)));
        assert_eq!(two.verdict(&rule), None);
        let (three, _) = recent((0..200).map(|n| (0, n % 3, true)));
        assert!(three.verdict(&rule).is_some());
    }

    #[test]
    fn what_other_nodes_count_from_the_first_look_on_is_judged_with_the_rest() {
        let (mut recent, rule) = recent((0..8).map(|n| (0, n % 2, true)));
        let heard = |turns, faults| Elsewhere::from([(7, (turns, faults))]);
        recent.hear(&rule, at(1), heard(1_000, 900));
        assert_eq!(recent.verdict(&rule), None, "nobody knows when those were");
        recent.hear(&rule, at(2), heard(1_011, 911));
        assert_eq!(recent.verdict(&rule), None, "19 turns show nothing");
        recent.hear(&rule, at(3), heard(1_012, 912));
        let why = recent.verdict(&rule).expect("eight here and twelve there");
        assert!(why.contains("20 of the last 20 turns"), "{why}");
        // Well elsewhere is well altogether.
        recent.hear(&rule, at(4), heard(1_012, 900));
        assert_eq!(recent.verdict(&rule), None);
        // A node that was not there at the first look counts whole, and what is over is over.
        let newcomer = Elsewhere::from([(7, (1_000, 900)), (9, (12, 12))]);
        recent.hear(&rule, at(5), newcomer.clone());
        assert!(recent.verdict(&rule).is_some());
        recent.hear(&rule, at(90), newcomer);
        assert_eq!(recent.verdict(&rule), None);
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let faulty = (0..30).map(|n| (0, n, true));
        let well = (0..20).map(|n| (61, n, false));
        let (recent, rule) = recent(faulty.chain(well));
        assert_eq!(recent.verdict(&rule), None);
        let (mut within, _) = self::recent((0..30).map(|n| (n, n, true)));
        assert!(within.verdict(&rule).is_some());
        within.forget_old(&rule, at(200));
        assert!(within.is_empty());
    }

    fn open_breaker() -> Breaker {
        Breaker {
            seq: 1,
            reason: "faulty".to_owned(),
            opened_at: at(0).millis(),
            probe_at: at(30).millis(),
        }
    }

    #[test]
    fn single_turns_try_when_the_time_has_come_and_so_many_close_it() {
        let (breaker, rule, mut probing) =
            (open_breaker(), BreakerRule::default(), Probing::default());
        assert!(!probing.admit(&breaker, at(29), of(1)));
        assert!(probing.admit(&breaker, at(30), of(1)));
        assert!(probing.admit(&breaker, at(30), of(1)), "it asks again");
        assert!(!probing.admit(&breaker, at(30), of(2)), "one at a time");
        assert!(!probing.note(&rule, at(30), false));
        assert!(probing.admit(&breaker, at(31), of(2)));
        assert!(!probing.note(&rule, at(31), false));
        assert!(probing.note(&rule, at(32), false), "three went well");
    }

    #[test]
    fn a_probe_that_fails_lets_nobody_try_for_a_while_and_all_must_go_well_again() {
        let (breaker, rule, mut probing) =
            (open_breaker(), BreakerRule::default(), Probing::default());
        assert!(!probing.note(&rule, at(30), false) && !probing.note(&rule, at(31), false));
        assert!(!probing.note(&rule, at(32), true));
        assert!(!probing.admit(&breaker, at(61), of(1)));
        assert!(probing.admit(&breaker, at(62), of(1)));
        assert!(!probing.note(&rule, at(62), false), "from the beginning");
    }

    #[test]
    fn a_probe_that_is_lost_holds_nobody_up() {
        let (breaker, mut probing) = (open_breaker(), Probing::default());
        assert!(probing.admit(&breaker, at(30), of(1)));
        assert!(!probing.admit(&breaker, at(39), of(2)));
        assert!(probing.admit(&breaker, at(40), of(2)));
    }
}
