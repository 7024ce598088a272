//! Rule: the tenant's monthly cap on what it begins, by category. Calendar months are UTC's.

use jiff::civil::Date;

use crate::domain::{Draft, DraftClass, Timestamp};

use super::super::decide::Refusal;
use super::super::facts::Facts;
use super::super::reason::Reason;
use super::concerned;

/// What of a month is used, by category. `Default`: no cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MonthFact {
    pub utility: Option<Left>,
    pub marketing: Option<Left>,
    pub authentication: Option<Left>,
}

/// How many messages of a category there may still be this month.
pub type Left = i64;

impl MonthFact {
    pub fn of(&self, class: DraftClass) -> Option<Left> {
        match class {
            DraftClass::Utility => self.utility,
            DraftClass::Marketing => self.marketing,
            DraftClass::Authentication => self.authentication,
            DraftClass::Reply | DraftClass::OptOutConfirmation => None,
        }
    }
}

/// Refuses what is beyond the month's cap. Codes too, where the tenant set a cap for them: it is money.
pub(in crate::policy) fn leaves_room(
    facts: &Facts,
    draft: &Draft,
    now: Timestamp,
) -> Result<(), Refusal> {
    let left = concerned(facts, draft).and_then(|class| facts.limits.month.of(class));
    if left.is_some_and(|left| left <= 0) {
        return Err(Refusal::new(Reason::MonthlyCap)
            .allowing("answers, and categories whose monthly cap is not used up")
            .from(first_of_next_month(now)));
    }
    Ok(())
}

/// The first day of the month that a moment is in, UTC: what counters of months are kept under, as `202611`.
pub fn month_of(at: Timestamp) -> i64 {
    let date = utc(at);
    i64::from(date.year()) * 100 + i64::from(date.month())
}

pub fn first_of_next_month(at: Timestamp) -> Option<Timestamp> {
    let first = utc(at).last_of_month().tomorrow().ok()?;
    let first = first.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(Timestamp::from_millis(first.timestamp().as_millisecond()))
}

fn utc(at: Timestamp) -> Date {
    let time = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or_default();
    time.to_zoned(jiff::tz::TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixture::{facts, now, template};
    use crate::policy::{Decision, decide};

    #[test]
    fn a_month_that_is_used_up_refuses_its_category_until_the_next() {
        let mut facts = facts();
        facts.limits.month.marketing = Some(0);
        let mut draft = template("news", "en");
        assert!(matches!(
            decide(&facts, &draft, now()),
            Decision::Cleared(_)
        ));
        draft.class = DraftClass::Marketing;
        let Decision::Refused(refusal) = decide(&facts, &draft, now()) else {
            panic!("the cap must refuse");
        };
        assert_eq!(refusal.reason, Reason::MonthlyCap);
        assert_eq!(month_of(now()), 202_611);
        let from = refusal.from.expect("a time");
        assert_eq!(from.to_string(), "2026-12-01T00:00:00.000Z");
        assert_eq!(month_of(from), 202_612);
        facts.limits.month.marketing = Some(1);
        assert!(matches!(
            decide(&facts, &draft, now()),
            Decision::Cleared(_)
        ));
    }
}
