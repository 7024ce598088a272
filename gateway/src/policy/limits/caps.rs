//! Rule: how often a person hears from the business, by category, in a day and a week that end now.

use std::time::Duration;

use crate::domain::{Draft, DraftClass, Timestamp};

use super::super::decide::Refusal;
use super::super::facts::Facts;
use super::super::reason::Reason;
use super::concerned;

const DAY: Duration = Duration::from_secs(86_400);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// How many messages of one category a person gets at most. `None`: as many as there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cap {
    pub per_day: Option<usize>,
    pub per_week: Option<usize>,
}

/// The tenant's caps, and what the business has begun with this person in the last week.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CapFact {
    pub utility: Cap,
    pub marketing: Cap,
    /// In any order. Without this draft itself, which may have been tried before.
    pub sent: Vec<(DraftClass, Timestamp)>,
    /// When Meta last held marketing off from them, because they have had enough of businesses (131049).
    pub held_off_at: Option<Timestamp>,
}

/// Refuses what would be one too many, and says from when it would not. One-time codes have no cap, by rule: they are
/// asked for.
pub(in crate::policy) fn leaves_room(
    facts: &Facts,
    draft: &Draft,
    now: Timestamp,
) -> Result<(), Refusal> {
    let caps = &facts.limits.caps;
    let rests_until = caps.held_off_at.map(|at| at.plus(DAY));
    if concerned(facts, draft) == Some(DraftClass::Marketing) && rests_until > Some(now) {
        // Facts §6.8: never at once, a day later at the earliest.
        return Err(Refusal::new(Reason::HeldOff)
            .allowing("anything but marketing, or marketing a day later")
            .from(rests_until));
    }
    let (class, cap) = match concerned(facts, draft) {
        Some(class @ DraftClass::Utility) => (class, caps.utility),
        Some(class @ DraftClass::Marketing) => (class, caps.marketing),
        _ => return Ok(()),
    };
    let from = [(cap.per_day, DAY), (cap.per_week, WEEK)]
        .into_iter()
        .filter_map(|(most, span)| caps.full_until(class, most?, span, now))
        .max();
    match from {
        None => Ok(()),
        Some(from) => Err(Refusal::new(Reason::PersonCap)
            .allowing("answers, one-time codes, and what is not of this category")
            .from(Some(from))),
    }
}

impl CapFact {
    /// Is there anything to count for?
    pub fn is_set(&self) -> bool {
        self.utility != Cap::default() || self.marketing != Cap::default()
    }

    fn full_until(
        &self,
        class: DraftClass,
        most: usize,
        span: Duration,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let mut lately: Vec<Timestamp> = self
            .sent
            .iter()
            .filter(|(of, at)| *of == class && now < at.plus(span))
            .map(|(_, at)| *at)
            .collect();
        lately.sort_unstable_by_key(|at| std::cmp::Reverse(*at));
        match most.checked_sub(1) {
            // A cap of none lets none through, however long one waits.
            None => Some(Timestamp::MAX),
            Some(last) => lately.get(last).map(|at| at.plus(span)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixture::{code_of, facts, now, template};
    use crate::policy::{Decision, decide};

    fn hours_ago(hours: u64) -> Timestamp {
        now().minus(Duration::from_secs(hours * 3600))
    }

    fn capped(sent: &[(DraftClass, u64)]) -> Facts {
        let mut facts = facts();
        facts.limits.caps = CapFact {
            utility: Cap::default(),
            marketing: Cap {
                per_day: Some(1),
                per_week: Some(3),
            },
            sent: sent
                .iter()
                .map(|(class, ago)| (*class, hours_ago(*ago)))
                .collect(),
            held_off_at: None,
        };
        facts
    }

    fn verdict(facts: &Facts, class: DraftClass) -> (&'static str, Option<Timestamp>) {
        let mut draft = template("news", "en");
        draft.class = class;
        match decide(facts, &draft, now()) {
            Decision::Refused(refusal) => (refusal.reason.code(), refusal.from),
            other => (code_of(&other), None),
        }
    }

    #[test]
    fn one_too_many_of_a_day_or_week_is_refused_until_one_is_old_enough() {
        use DraftClass::{Authentication, Marketing, Utility};
        type Begun = [(DraftClass, u64)];
        let cases: &[(&Begun, &str, Option<u64>)] = &[
            (&[], "cleared", None),
            (&[(Marketing, 23)], "person_cap", Some(23)),
            (&[(Marketing, 24)], "cleared", None),
            (&[(Utility, 1), (Authentication, 1)], "cleared", None),
            (
                &[(Marketing, 30), (Marketing, 60), (Marketing, 167)],
                "person_cap",
                None,
            ),
            (
                &[(Marketing, 30), (Marketing, 60), (Marketing, 168)],
                "cleared",
                None,
            ),
        ];
        for (sent, expected, day_from) in cases {
            let (code, from) = verdict(&capped(sent), Marketing);
            assert_eq!(code, *expected, "{sent:?}");
            if let Some(ago) = day_from {
                assert_eq!(from, Some(hours_ago(*ago).plus(DAY)));
            }
        }
        let week = capped(cases[4].0);
        assert_eq!(verdict(&week, Marketing).1, Some(hours_ago(167).plus(WEEK)));
        assert_eq!(verdict(&week, Utility).0, "cleared");
        assert_eq!(verdict(&week, Authentication).0, "cleared");
    }

    #[test]
    fn who_has_had_enough_gets_no_marketing_for_a_day() {
        let mut facts = facts();
        facts.limits.caps.held_off_at = Some(hours_ago(23));
        let (code, from) = verdict(&facts, DraftClass::Marketing);
        assert_eq!((code, from), ("held_off", Some(hours_ago(23).plus(DAY))));
        assert_eq!(verdict(&facts, DraftClass::Utility).0, "cleared");
        facts.limits.caps.held_off_at = Some(hours_ago(24));
        assert_eq!(verdict(&facts, DraftClass::Marketing).0, "cleared");
    }

    #[test]
    fn a_cap_of_none_lets_none_through() {
        let mut facts = capped(&[]);
        facts.limits.caps.marketing.per_day = Some(0);
        assert_eq!(verdict(&facts, DraftClass::Marketing).0, "person_cap");
    }
}
