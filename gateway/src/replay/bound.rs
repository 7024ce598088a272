//! What may be different at most, as it is typed: `different>1%`, `faults>0`, `fuel>+20%`, `compared<50`; and what that makes of a
//! replay as a gate.

use std::str::FromStr;

use serde::Serialize;

use super::tally::Tally;

/// A bound that a replay must keep within.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    text: String,
    what: What,
    limit: f64,
    percent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Different,
    Unknown,
    NotReproduced,
    LeftOut,
    Faults,
    NewFaults,
    Fuel,
    /// The one that says what there must be at least.
    Compared,
}

const NAMES: [(&str, What); 8] = [
    ("different", What::Different),
    ("unknown", What::Unknown),
    ("not-reproduced", What::NotReproduced),
    ("left-out", What::LeftOut),
    ("faults", What::Faults),
    ("new-faults", What::NewFaults),
    ("fuel", What::Fuel),
    ("compared", What::Compared),
];

/// The text is no bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a bound: NAME>NUMBER or NAME>NUMBER%, NAME one of {}; of fuel only per cent; compared<NUMBER",
    NAMES.map(|(name, _)| name).join(", ")
)]
pub struct BoundError;

impl FromStr for Bound {
    type Err = BoundError;

    fn from_str(text: &str) -> Result<Self, BoundError> {
        let place = text.find(['<', '>']).ok_or(BoundError)?;
        let (name, number) = (text[..place].trim(), text[place + 1..].trim());
        let what = NAMES.iter().find(|(known, _)| *known == name);
        let what = what.ok_or(BoundError)?.1;
        let (number, percent) = match number.strip_suffix('%') {
            Some(number) => (number, true),
            None => (number, false),
        };
        let limit: f64 = number.parse().map_err(|_| BoundError)?;
        let fits = limit.is_finite() && (what != What::Fuel || percent);
        let fits = fits && (what == What::Fuel || limit >= 0.0);
        let fits = fits && (what == What::Compared) == text[place..].starts_with('<');
        fits.then(|| Self {
            text: text.to_owned(),
            what,
            limit,
            percent,
        })
        .ok_or(BoundError)
    }
}

impl Bound {
    /// Is the tally within it?
    pub fn holds(&self, tally: &Tally) -> bool {
        let count = match self.what {
            What::Different => tally.different,
            What::Unknown => tally.unknown,
            What::NotReproduced => tally.not_reproduced,
            What::LeftOut => tally.left_out.values().sum(),
            What::Faults => tally.faults,
            What::NewFaults => tally.new_faults,
            What::Fuel => return tally.fuel_change().unwrap_or(0.0) <= self.limit,
            What::Compared => tally.compared(),
        };
        let of = match self.what {
            What::Different => tally.compared(),
            _ => tally.turns(),
        };
        let value = match self.percent {
            true => 100.0 * count as f64 / of.max(1) as f64,
            false => count as f64,
        };
        match self.what {
            What::Compared => value >= self.limit,
            _ => value <= self.limit,
        }
    }

    /// Nine of ten turns: a gate that has hardly seen anything must not open. A guess.
    fn enough_compared() -> Self {
        Self {
            text: "compared<90%".to_owned(),
            what: What::Compared,
            limit: 90.0,
            percent: true,
        }
    }
}

/// May the candidate pass?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    Passed,
    Failed,
    /// Whatever the bounds say.
    NothingCompared,
}

/// What bounds say of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub gate: Gate,
    /// As they were typed.
    pub broken: Vec<String>,
}

/// Every bound holds, and enough was compared: `compared<90%` is among the bounds unless another of `compared` is. None: who gives
/// no bounds wants no gate.
pub fn judge(bounds: &[Bound], tally: &Tally) -> Option<Judgement> {
    if bounds.is_empty() {
        return None;
    }
    let says = bounds.iter().any(|bound| bound.what == What::Compared);
    let enough = (!says).then(Bound::enough_compared);
    let all = bounds.iter().chain(&enough);
    let broken = all.filter(|bound| !bound.holds(tally));
    let broken: Vec<String> = broken.map(|bound| bound.text.clone()).collect();
    let gate = match (tally.compared(), broken.is_empty()) {
        (0, _) => Gate::NothingCompared,
        (_, true) => Gate::Passed,
        (_, false) => Gate::Failed,
    };
    Some(Judgement { gate, broken })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(bound: &str, tally: &Tally) -> bool {
        bound.parse::<Bound>().expect("a bound").holds(tally)
    }

    #[test]
    fn bounds_are_numbers_or_shares_of_all_turns() {
        let tally = Tally {
            same: 98,
            different: 2,
            faults: 1,
            fuel: (1_000, 1_200),
            ..Tally::default()
        };
        assert!(holds("different>2%", &tally));
        assert!(!holds("different>1.9%", &tally));
        assert!(holds("different>2", &tally));
        assert!(!holds("faults>0", &tally));
        assert!(holds("new-faults>0", &tally));
        assert!(holds("fuel>+20%", &tally));
        assert!(!holds("fuel>+19%", &tally));
    }

    #[test]
    fn what_is_no_bound_is_refused() {
        for text in [
            "different",
            "different>x",
            "speed>1",
            "fuel>20",
            "faults>-1",
            "faults>NaN",
            "faults<1",
            "compared>50",
            "compared<",
        ] {
            assert_eq!(text.parse::<Bound>(), Err(BoundError), "{text}");
        }
    }

    fn judged(bounds: &[&str], tally: &Tally) -> Option<(Gate, Vec<String>)> {
        let bounds = bounds.iter().map(|bound| bound.parse().expect("a bound"));
        let judged = judge(&bounds.collect::<Vec<_>>(), tally)?;
        Some((judged.gate, judged.broken))
    }

    #[test]
    fn a_gate_that_has_hardly_seen_anything_stays_shut() {
        let tally = |same, unknown| Tally {
            same,
            unknown,
            ..Tally::default()
        };
        let broken = |gate, bounds: &[&str]| {
            Some((
                gate,
                bounds.iter().map(|bound| (*bound).to_owned()).collect(),
            ))
        };
        let one = ["different>0"];
        assert_eq!(judged(&[], &tally(1, 9_999)), None, "nobody asked for one");
        let little = broken(Gate::Failed, &["compared<90%"]);
        assert_eq!(judged(&one, &tally(1, 9_999)), little);
        assert_eq!(judged(&one, &tally(8_999, 1_001)), little);
        assert_eq!(
            judged(&one, &tally(9_000, 1_000)),
            broken(Gate::Passed, &[])
        );
        let own = ["different>0", "compared<50"];
        assert_eq!(judged(&own, &tally(50, 9_950)), broken(Gate::Passed, &[]));
        assert_eq!(
            judged(&own, &tally(49, 9_951)),
            broken(Gate::Failed, &["compared<50"])
        );
        let none = ["compared<0"];
        assert_eq!(
            judged(&none, &tally(0, 10)),
            broken(Gate::NothingCompared, &[])
        );
        assert_eq!(
            judged(&one, &Tally::default()).map(|judged| judged.0),
            Some(Gate::NothingCompared)
        );
    }
}
