//! What may be different at most, as it is typed: `different>1%`, `faults>0`, `fuel>+20%`.

use std::str::FromStr;

use super::tally::Tally;

/// A bound that a replay must keep within.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    text: String,
    what: What,
    most: f64,
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
}

const NAMES: [(&str, What); 7] = [
    ("different", What::Different),
    ("unknown", What::Unknown),
    ("not-reproduced", What::NotReproduced),
    ("left-out", What::LeftOut),
    ("faults", What::Faults),
    ("new-faults", What::NewFaults),
    ("fuel", What::Fuel),
];

/// The text is no bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a bound: NAME>NUMBER or NAME>NUMBER%, NAME one of {}; of fuel only per cent",
    NAMES.map(|(name, _)| name).join(", ")
)]
pub struct BoundError;

impl FromStr for Bound {
    type Err = BoundError;

    fn from_str(text: &str) -> Result<Self, BoundError> {
        let (name, number) = text.split_once('>').ok_or(BoundError)?;
        let known = NAMES.iter().find(|(known, _)| *known == name.trim());
        let what = known.ok_or(BoundError)?.1;
        let number = number.trim();
        let (number, percent) = match number.strip_suffix('%') {
            Some(number) => (number, true),
            None => (number, false),
        };
        let most: f64 = number.parse().map_err(|_| BoundError)?;
        let fits = most.is_finite() && (what == What::Fuel) <= percent;
        let fits = fits && (what == What::Fuel || most >= 0.0);
        fits.then(|| Self {
            text: text.to_owned(),
            what,
            most,
            percent,
        })
        .ok_or(BoundError)
    }
}

impl Bound {
    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Is the tally within it?
    pub fn holds(&self, tally: &Tally) -> bool {
        let count = match self.what {
            What::Different => tally.different,
            What::Unknown => tally.unknown,
            What::NotReproduced => tally.not_reproduced,
            What::LeftOut => tally.left_out.values().sum(),
            What::Faults => tally.faults,
            What::NewFaults => tally.new_faults,
            What::Fuel => return tally.fuel_change().unwrap_or(0.0) <= self.most,
        };
        let of = match self.what {
            What::Different => tally.compared(),
            _ => tally.turns(),
        };
        let value = match self.percent {
            true => 100.0 * count as f64 / of.max(1) as f64,
            false => count as f64,
        };
        value <= self.most
    }
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
        ] {
            assert_eq!(text.parse::<Bound>(), Err(BoundError), "{text}");
        }
    }
}
