//! All verdicts of a replay, counted exactly, with the first of the differences.

use std::collections::BTreeMap;

use serde::Serialize;

use super::judge::{Cost, Done, Verdict};
use super::recorded::{Left, Recorded};
use super::shown;
use crate::domain::{ConversationId, TurnId};

/// The result of a replay.
#[derive(Debug, Default, Serialize)]
pub struct Tally {
    pub same: u64,
    pub different: u64,
    pub unknown: u64,
    pub not_reproduced: u64,
    /// Of these: what ran then stands under another setup now.
    pub setup_changed: u64,
    pub left_out: BTreeMap<&'static str, u64>,
    /// Turns in which the candidate faulted, and those of them in which what ran then did not.
    pub faults: u64,
    pub new_faults: u64,
    /// Of turns that are the same or different: before and after.
    pub fuel: (u64, u64),
    /// The most that one turn costs more, in per cent.
    pub fuel_worst_percent: f64,
    /// The first ones, cut to what a person reads.
    pub differences: Vec<Difference>,
    /// So many more are counted and not told.
    pub differences_not_told: u64,
    #[serde(skip)]
    pub told_most: ToldMost,
}

/// Differences that are told. A report is held whole, and a job's is one row.
#[derive(Debug, Clone, Copy)]
pub struct ToldMost(pub usize);

impl Default for ToldMost {
    fn default() -> Self {
        Self(200)
    }
}

/// A turn that would be another.
#[derive(Debug, Serialize)]
pub struct Difference {
    pub conversation: ConversationId,
    pub turn: TurnId,
    pub at: String,
    /// What the customer said, or what happened.
    pub said: String,
    pub before: Done,
    pub after: Done,
}

impl Tally {
    /// Turns that could be compared.
    pub fn compared(&self) -> u64 {
        self.same + self.different
    }

    /// All turns in which the installation took part.
    pub fn turns(&self) -> u64 {
        let left: u64 = self.left_out.values().sum();
        self.compared() + self.unknown + self.not_reproduced + left
    }

    /// In per cent of what was used before.
    pub fn fuel_change(&self) -> Option<f64> {
        change(self.fuel)
    }

    pub fn leave(&mut self, why: Left) {
        *self.left_out.entry(why.word()).or_default() += 1;
    }

    pub fn add(&mut self, recorded: &Recorded, verdict: Verdict) {
        match verdict {
            Verdict::Same(cost) => {
                self.same += 1;
                self.cost(cost);
            }
            Verdict::Different {
                cost,
                before,
                after,
            } => {
                self.different += 1;
                self.cost(cost);
                self.tell(recorded, &before, &after);
            }
            Verdict::Unknown(cost) => {
                self.unknown += 1;
                self.faults(cost);
            }
            Verdict::NotReproduced { setup, cost } => {
                self.not_reproduced += 1;
                self.setup_changed += u64::from(setup);
                self.faults(cost);
            }
            Verdict::Left(why) => self.leave(why),
        }
    }

    fn tell(&mut self, recorded: &Recorded, before: &Done, after: &Done) {
        if self.differences.len() >= self.told_most.0 {
            self.differences_not_told += 1;
            return;
        }
        let (before, after) = shown::sides(before, after);
        self.differences.push(Difference {
            conversation: recorded.conversation,
            turn: recorded.turn,
            at: recorded.at.to_string(),
            said: shown::text(&recorded.said.words()),
            before,
            after,
        });
    }

    fn cost(&mut self, cost: Cost) {
        self.fuel.0 += cost.fuel.0;
        self.fuel.1 += cost.fuel.1;
        let more = change(cost.fuel).unwrap_or(0.0);
        self.fuel_worst_percent = self.fuel_worst_percent.max(more);
        self.faults(cost);
    }

    fn faults(&mut self, cost: Cost) {
        self.faults += u64::from(cost.faulted.1);
        self.new_faults += u64::from(cost.faulted.1 && !cost.faulted.0);
    }
}

fn change((before, after): (u64, u64)) -> Option<f64> {
    (before > 0).then(|| 100.0 * (after as f64 - before as f64) / before as f64)
}
