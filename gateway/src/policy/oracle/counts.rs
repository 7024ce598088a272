//! What storage would count for the limits of a history.

use std::time::Duration;

use super::history::Limits;
use crate::domain::{DraftClass, Timestamp};
use crate::policy::limits::{
    Cap, CategoryRules, LimitFacts, LimitRules, PortfolioFact, QuietFact, QuietHours, month_of,
    zone,
};

const DAY: Duration = Duration::from_secs(86_400);

pub struct Counts {
    rules: LimitRules,
    quiet: QuietFact,
    pub begun: Vec<(DraftClass, Timestamp)>,
    pub others: Vec<(i64, Timestamp)>,
    pub tier: Option<i64>,
    pub held_off_at: Option<Timestamp>,
}

impl Counts {
    pub fn new(limits: Limits) -> Self {
        let hours = |(from, to): (u16, u16), day: Option<u8>| QuietHours {
            from,
            to,
            days: day.map_or(0, |day| 1 << day),
        };
        let marketing = match (limits.quiet_marketing, limits.quiet_day) {
            (None, None) => None,
            (night, day) => Some(hours(night.unwrap_or((0, 0)), day)),
        };
        let names: &[&str] = if limits.or_india {
            &["UTC", "Asia/Kolkata"]
        } else {
            &["UTC"]
        };
        let category = |[per_day, per_week, per_month]: [Option<usize>; 3]| CategoryRules {
            quiet: None,
            cap: Cap { per_day, per_week },
            per_month: month(per_month),
        };
        Self {
            quiet: QuietFact {
                utility: limits.quiet_utility.map(|night| hours(night, None)),
                marketing,
                zones: names.iter().filter_map(|name| zone(name)).collect(),
            },
            rules: LimitRules {
                utility: category(limits.most_utility),
                marketing: category(limits.most_marketing),
                codes_per_month: month(limits.most_codes_a_month),
                ..LimitRules::default()
            },
            begun: Vec::new(),
            others: Vec::new(),
            tier: None,
            held_off_at: None,
        }
    }

    pub fn facts(&self, now: Timestamp) -> LimitFacts {
        let counts = |at: &Timestamp| now < at.plus(DAY);
        let reached: Vec<Timestamp> = self
            .begun
            .iter()
            .map(|(_, at)| *at)
            .filter(counts)
            .collect();
        let others = self.others.iter().filter(|(_, at)| counts(at));
        let firsts = others
            .clone()
            .map(|(_, at)| *at)
            .chain(reached.last().copied());
        let mut caps = self.rules.caps();
        caps.sent.clone_from(&self.begun);
        caps.held_off_at = self.held_off_at;
        let used = |class| {
            let same = |(of, at): &&(DraftClass, Timestamp)| {
                *of == class && month_of(*at) == month_of(now)
            };
            i64::try_from(self.begun.iter().filter(same).count()).unwrap_or(i64::MAX)
        };
        LimitFacts {
            quiet: self.quiet.clone(),
            caps,
            portfolio: PortfolioFact {
                limit: self.tier,
                people: others.clone().map(|(people, _)| people).sum::<i64>()
                    + i64::from(!reached.is_empty()),
                counts_already: !reached.is_empty(),
                frees_at: firsts.min().map(|at| at.plus(DAY)),
            },
            month: self.rules.month(used),
        }
    }
}

fn month(most: Option<usize>) -> Option<i64> {
    most.and_then(|most| i64::try_from(most).ok())
}
