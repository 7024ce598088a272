//! How a plugin's new version comes into service, and when it goes by itself. Pure.
//!
//! A version is looked at in *shadow* (it runs after the real ones, nothing of it is applied), tried in *canary* (it
//! answers some of the conversations) and then *active*. While it is a candidate its [`Bounds`] judge what it did lately
//! ([`Window`]); after a promotion they go on for a while, beside what the version before it did ([`Watch`]).

mod window;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Timestamp;

pub use window::Window;

/// Where a version stands inside its installation.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Installed and loaded; it does not run.
    Waiting,
    /// It runs after the turn's real plugins with the same input. What it wants is compared and never applied.
    Shadow,
    /// It answers the conversations of its share.
    Canary,
    /// It answers everybody else.
    Active,
    /// It does not run any more.
    Retired,
}

impl Stage {
    pub const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Shadow,
        Self::Canary,
        Self::Active,
        Self::Retired,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Shadow => "shadow",
            Self::Canary => "canary",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.word() == word)
    }

    /// Is it on its way into service? An installation has one such version at most.
    pub fn is_candidate(self) -> bool {
        matches!(self, Self::Waiting | Self::Shadow | Self::Canary)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl std::str::FromStr for Stage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::from_word(text)
            .ok_or_else(|| "not a stage: waiting, shadow, canary, active".to_owned())
    }
}

/// When a candidate, or a version that was promoted lately, is taken out by itself. All are guesses that an installation can change: they catch what is broken
/// and let what is merely different live.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = RolloutBounds)]
pub struct Bounds {
    /// Turns before anything is judged.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub least_turns: u64,
    /// More turns than this, in percent, and more than one, that it could not end, or rejected though the active version does not.
    #[schema(minimum = 0, maximum = 100)]
    pub fault_percent: f64,
    /// One turn in ten takes more of its fuel than this, in percent of the limit.
    #[schema(minimum = 0, maximum = 100)]
    pub fuel_percent: f64,
    /// Half of the turns take longer than this, in milliseconds.
    #[schema(minimum = 1, maximum = 600_000)]
    pub latency_ms: u64,
    /// In shadow: more turns than this, in percent, with other effects than the active version's. 100: never. That is
    /// the default, because most versions are made to be different.
    #[schema(minimum = 0, maximum = 100)]
    pub difference_percent: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            least_turns: 20,
            fault_percent: 2.0,
            fuel_percent: 80.0,
            latency_ms: 1_000,
            difference_percent: 100.0,
        }
    }
}

impl Bounds {
    /// Every bound that makes no sense: its field and what is wrong.
    pub fn problems(&self) -> Vec<(&'static str, &'static str)> {
        let percent = |value: f64| (0.0..=100.0).contains(&value);
        let checks = [
            ("least_turns", self.least_turns > 0, "must be at least 1"),
            (
                "fault_percent",
                percent(self.fault_percent),
                "must be 0 to 100",
            ),
            (
                "fuel_percent",
                percent(self.fuel_percent),
                "must be 0 to 100",
            ),
            ("latency_ms", self.latency_ms > 0, "must be at least 1"),
            (
                "difference_percent",
                percent(self.difference_percent),
                "must be 0 to 100",
            ),
        ];
        let wrong = checks.into_iter().filter(|(_, fine, _)| !fine);
        wrong.map(|(field, _, problem)| (field, problem)).collect()
    }

    /// Must this candidate go? In words, for its author.
    pub fn verdict(&self, done: &Tally, fuel_limit: u64) -> Option<String> {
        self.judge(done, done.failed(), fuel_limit)
    }

    /// The same for a version in service, by bounds that were laid [`beside`](Self::beside) the version before. To reject is a
    /// normal answer there, and nobody else is asked what it would have said.
    pub fn verdict_in_service(&self, done: &Tally, fuel_limit: u64) -> Option<String> {
        self.judge(done, done.faulty(), fuel_limit)
    }

    fn judge(&self, done: &Tally, failed: u64, fuel_limit: u64) -> Option<String> {
        if done.turns < self.least_turns.max(1) {
            return None;
        }
        let share = percent_of(failed, done.turns);
        if failed > 1 && share > self.fault_percent {
            let what = if failed > done.faulty() {
                "faulty or rejected"
            } else {
                "faulty"
            };
            return Some(format!(
                "{failed} of {} turns were {what} ({share:.1} %, at most {} %)",
                done.turns, self.fault_percent
            ));
        }
        let fuel = done.fuel.quantile(0.9).unwrap_or(0);
        let share = percent_of(fuel, fuel_limit.max(1));
        if share > self.fuel_percent {
            return Some(format!(
                "one turn in ten takes more than {} % of its fuel",
                self.fuel_percent
            ));
        }
        let latency = done.latency.quantile(0.5).unwrap_or(0);
        if latency > self.latency_ms.saturating_mul(1_000) {
            return Some(format!(
                "half of the turns take longer than {} ms",
                self.latency_ms
            ));
        }
        let compared = done.same + done.different;
        let share = percent_of(done.different, compared.max(1));
        if compared >= self.least_turns && share > self.difference_percent {
            return Some(format!(
                "{} of {compared} turns had other effects ({share:.1} %, at most {} %)",
                done.different, self.difference_percent
            ));
        }
        None
    }

    /// For a version in service: a bound that the version before it passed as well is no reason to go back to that one, unless
    /// it is passed by far. What somebody compares in shadow is compared with nobody here, and time is not judged: all versions
    /// are slow where the machine has too much to do, and that is ours.
    #[must_use]
    pub fn beside(&self, before: &Tally, fuel_limit: u64) -> Self {
        let mut bounds = Self {
            difference_percent: 100.0,
            latency_ms: u64::MAX,
            ..*self
        };
        if before.turns < self.least_turns {
            return bounds;
        }
        let share = percent_of(before.faulty(), before.turns);
        let fuel = percent_of(before.fuel.quantile(0.9).unwrap_or(0), fuel_limit.max(1));
        bounds.fault_percent = bounds.fault_percent.max(rounded(share * WORSE));
        bounds.fuel_percent = bounds.fuel_percent.max(rounded(fuel * WORSE));
        bounds
    }
}

/// What is worse than before, and not by chance or by the width of a class of sizes. A guess.
const WORSE: f64 = 1.25;

/// As people read percents.
fn rounded(percent: f64) -> f64 {
    (percent * 10.0).round() / 10.0
}

/// Why a version in service is judged by its bounds: a promotion put it in the place of another one not long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// The version whose place it took, by its number: with this one it is compared.
    pub before: i64,
    /// When it was promoted.
    pub since: Timestamp,
}

impl Watch {
    /// Turns after which a version has shown what it is. A guess.
    const TURNS: u64 = 10_000;
    /// One that nobody calls is watched no longer than this. A guess: somebody has had a whole week to look.
    const TIME: Duration = Duration::from_secs(7 * 86_400);

    /// `turns`: what it had in service, on all nodes.
    pub fn is_over(&self, turns: u64, now: Timestamp) -> bool {
        turns >= Self::TURNS || now >= self.since.plus(Self::TIME)
    }
}

/// By what a version's turns are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    pub bounds: Bounds,
    /// In service: `None` when its breaker alone judges it.
    pub watch: Option<Watch>,
}

fn percent_of(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole as f64
}

/// What a version did in one stage, added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Turns in which it was called.
    pub turns: u64,
    /// Turns that it could not end, by the fault's word.
    pub faults: BTreeMap<String, u64>,
    /// Fuel of a turn.
    pub fuel: Sizes,
    /// Microseconds of a turn.
    pub latency: Sizes,
    /// In shadow: turns in which it wanted what the active version did, and others.
    pub same: u64,
    pub different: u64,
    /// In canary: turns that the active version had to take over.
    pub fell_back: u64,
    /// Turns that it rejected; of a candidate those that the active version did not reject as well.
    pub rejected: u64,
}

impl Tally {
    pub fn faulty(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Turns that count against it.
    pub fn failed(&self) -> u64 {
        self.faulty() + self.rejected
    }

    /// What came to it after `before`, an earlier count of the same.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut faults = self.faults.clone();
        for (kind, n) in &mut faults {
            *n = n.saturating_sub(before.faults.get(kind).copied().unwrap_or_default());
        }
        faults.retain(|_, n| *n > 0);
        Self {
            turns: self.turns.saturating_sub(before.turns),
            faults,
            fuel: self.fuel.since(&before.fuel),
            latency: self.latency.since(&before.latency),
            same: self.same.saturating_sub(before.same),
            different: self.different.saturating_sub(before.different),
            fell_back: self.fell_back.saturating_sub(before.fell_back),
            rejected: self.rejected.saturating_sub(before.rejected),
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.turns += other.turns;
        for (kind, n) in &other.faults {
            *self.faults.entry(kind.clone()).or_default() += n;
        }
        self.fuel.add(&other.fuel);
        self.latency.add(&other.latency);
        self.same += other.same;
        self.different += other.different;
        self.fell_back += other.fell_back;
        self.rejected += other.rejected;
    }

    /// As rows: what is counted, its class of size, how often.
    pub fn rows(&self) -> Vec<(String, i64, i64)> {
        let plain = [
            ("turns", self.turns),
            ("same", self.same),
            ("different", self.different),
            ("fell_back", self.fell_back),
            ("rejected", self.rejected),
        ];
        let plain = plain.map(|(name, n)| (name.to_owned(), 0, n)).into_iter();
        let faults = self.faults.iter();
        let faults = faults.map(|(kind, n)| (format!("{FAULT}{kind}"), 0, *n));
        let sizes = |name: &'static str, sizes: &Sizes| {
            let rows = sizes.0.iter();
            let rows = rows.map(move |(class, n)| (name.to_owned(), i64::from(*class), *n));
            rows.collect::<Vec<_>>()
        };
        plain
            .chain(faults)
            .chain(sizes("fuel", &self.fuel))
            .chain(sizes("latency", &self.latency))
            .filter(|(.., n)| *n > 0)
            .map(|(name, class, n)| (name, class, i64::try_from(n).unwrap_or(i64::MAX)))
            .collect()
    }

    /// Takes a row in. What another version of the gateway counted is passed over.
    pub fn take_row(&mut self, measure: &str, item: i64, n: i64) {
        let n = n.unsigned_abs();
        let class = u16::try_from(item).unwrap_or(0);
        match measure {
            "turns" => self.turns += n,
            "same" => self.same += n,
            "different" => self.different += n,
            "fell_back" => self.fell_back += n,
            "rejected" => self.rejected += n,
            "fuel" => *self.fuel.0.entry(class).or_default() += n,
            "latency" => *self.latency.0.entry(class).or_default() += n,
            other => {
                if let Some(kind) = other.strip_prefix(FAULT) {
                    *self.faults.entry(kind.to_owned()).or_default() += n;
                }
            }
        }
    }
}

const FAULT: &str = "fault:";
/// Classes for each doubling: a class is at most a fifth wider than its smallest member.
const CLASSES: f64 = 4.0;

/// How often which size was met, in classes that grow with the size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sizes(BTreeMap<u16, u64>);

impl Sizes {
    pub fn note(&mut self, size: u64) {
        *self.0.entry(class(size)).or_default() += 1;
    }

    fn add(&mut self, other: &Self) {
        for (class, n) in &other.0 {
            *self.0.entry(*class).or_default() += n;
        }
    }

    fn since(&self, before: &Self) -> Self {
        let left = self.0.iter().map(|(class, n)| {
            let old = before.0.get(class).copied().unwrap_or_default();
            (*class, n.saturating_sub(old))
        });
        Self(left.filter(|(_, n)| *n > 0).collect())
    }

    /// The size that this part of all does not exceed, but for the width of a class: its least member.
    pub fn quantile(&self, part: f64) -> Option<u64> {
        let all: u64 = self.0.values().sum();
        let mut left = (all as f64 * part).ceil().max(1.0) as u64;
        for (class, n) in &self.0 {
            if *n >= left {
                return Some(least_of(*class));
            }
            left -= n;
        }
        None
    }
}

fn class(size: u64) -> u16 {
    ((size.max(1) as f64).log2() * CLASSES).floor() as u16
}

fn least_of(class: u16) -> u64 {
    (f64::from(class) / CLASSES).exp2().floor() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn tally(turns: u64, faults: u64) -> Tally {
        let mut tally = Tally {
            turns,
            ..Tally::default()
        };
        if faults > 0 {
            tally.faults.insert("trap".to_owned(), faults);
        }
        tally
    }

    fn says(tally: &Tally) -> Option<String> {
        Bounds::default().verdict(tally, 1_000_000)
    }

    #[test]
    fn faults_are_judged_by_their_share_from_the_least_sample_on() {
        assert_eq!(says(&tally(19, 19)), None);
        assert!(says(&tally(20, 2)).is_some_and(|why| why.contains("2 of 20 turns")));
        assert_eq!(says(&tally(20, 1)), None, "one fault is none");
        assert_eq!(says(&tally(100, 2)), None, "just on the bound");
        assert!(says(&tally(99, 2)).is_some());
    }

    #[test]
    fn fuel_is_judged_by_the_tenth_that_takes_most_and_latency_by_the_half() {
        let mut done = tally(20, 0);
        for n in 0..20 {
            done.fuel.note(if n < 19 { 1_000 } else { 990_000 });
            done.latency.note(if n < 11 { 900 } else { 90_000_000 });
        }
        assert_eq!(says(&done), None);
        done.fuel.note(990_000);
        done.fuel.note(990_000);
        assert!(says(&done).is_some_and(|why| why.contains("fuel")));
        let mut slow = tally(20, 0);
        (0..20).for_each(|_| slow.latency.note(2_000_000));
        assert!(says(&slow).is_some_and(|why| why.contains("longer than 1000 ms")));
    }

    #[test]
    fn a_difference_counts_only_where_somebody_set_a_bound() {
        let done = Tally {
            different: 30,
            ..tally(30, 0)
        };
        assert_eq!(says(&done), None);
        let bounds = Bounds {
            difference_percent: 50.0,
            ..Bounds::default()
        };
        let why = bounds.verdict(&done, 1).expect("all differ");
        assert!(why.contains("30 of 30 turns had other effects"), "{why}");
    }

    #[test]
    fn a_tally_survives_its_rows_and_adds_up() {
        let mut done = tally(7, 2);
        (done.same, done.different, done.fell_back) = (3, 4, 1);
        done.rejected = 1;
        for size in [0, 1, 5, 70_000, u64::MAX] {
            done.fuel.note(size);
            done.latency.note(size);
        }
        let mut read = Tally::default();
        for (measure, item, n) in done.rows() {
            read.take_row(&measure, item, n);
        }
        assert_eq!(read, done);
        read.add(&done);
        assert_eq!(
            (read.turns, read.faulty(), read.failed()),
            (14, 4, 6),
            "added"
        );
        assert_eq!(read.since(&done), done);
        assert_eq!(done.since(&done), Tally::default());
    }

    #[test]
    fn what_is_rejected_counts_like_what_is_faulty() {
        let mut done = tally(100, 1);
        assert_eq!(says(&done), None);
        done.rejected = 2;
        let why = says(&done).expect("three of a hundred");
        assert!(
            why.contains("3 of 100 turns were faulty or rejected"),
            "{why}"
        );
    }

    /// Turns that all take so much fuel and time.
    fn even(turns: u64, faults: u64, fuel: u64, micros: u64) -> Tally {
        let mut done = tally(turns, faults);
        for _ in 0..turns {
            done.fuel.note(fuel);
            done.latency.note(micros);
        }
        done
    }

    #[test]
    fn in_service_a_bound_counts_that_the_version_before_did_not_pass_as_well() {
        const LIMIT: u64 = 1_000_000;
        let bounds = Bounds::default();
        let verdict = |now: &Tally, before: &Tally| {
            bounds.beside(before, LIMIT).verdict_in_service(now, LIMIT)
        };
        let good = even(100, 0, 1_000, 900);
        for (worse, says) in [
            (even(100, 5, 1_000, 900), "5 of 100 turns were faulty"),
            (even(100, 0, 900_000, 900), "fuel"),
        ] {
            assert!(verdict(&worse, &good).is_some_and(|why| why.contains(says)));
            assert_eq!(verdict(&worse, &worse), None, "it was so before: {says}");
            let few = even(5, 5, 1_000, 9_000_000);
            assert!(verdict(&worse, &few).is_some(), "five turns say nothing");
        }
        assert_eq!(verdict(&even(100, 6, 1, 1), &even(100, 5, 1, 1)), None);
        assert!(verdict(&even(100, 7, 1, 1), &even(100, 5, 1, 1)).is_some());
        let otherwise = Tally {
            different: 100,
            ..even(100, 0, 1, 1)
        };
        assert_eq!(verdict(&otherwise, &good), None);
        let slow_and_picky = Tally {
            rejected: 50,
            ..even(100, 0, 1_000, 2_000_000)
        };
        assert_eq!(verdict(&slow_and_picky, &good), None);
    }

    #[test]
    fn a_watch_ends_after_enough_turns_or_a_week() {
        let since = Timestamp::from_secs(1_795_000_000);
        let watch = Watch { before: 1, since };
        assert!(!watch.is_over(9_999, since.plus(Duration::from_secs(6 * 86_400))));
        assert!(watch.is_over(10_000, since));
        assert!(watch.is_over(0, since.plus(Duration::from_secs(7 * 86_400))));
    }

    #[test]
    fn quantiles_are_off_by_a_fifth_at_most() {
        let mut sizes = Sizes::default();
        assert_eq!(sizes.quantile(0.5), None);
        (1..=1_000).for_each(|size| sizes.note(size * 1_000));
        for (part, exact) in [(0.5, 500_000.0), (0.9, 900_000.0), (0.99, 990_000.0)] {
            let found = sizes.quantile(part).expect("there are some") as f64;
            assert!((exact * 0.8..=exact).contains(&found), "{part}: {found}");
        }
    }

    #[test]
    fn bounds_are_checked_all_at_once() {
        let wrong = Bounds {
            least_turns: 0,
            fault_percent: 101.0,
            latency_ms: 0,
            ..Bounds::default()
        };
        let fields: Vec<_> = wrong
            .problems()
            .into_iter()
            .map(|(field, _)| field)
            .collect();
        assert_eq!(fields, ["least_turns", "fault_percent", "latency_ms"]);
        assert!(Bounds::default().problems().is_empty());
    }
}
