//! Rule: Meta's messaging limit (facts §6.6). A portfolio may message so many people outside a window within 24 hours, over
//! all of its numbers; who would be one more waits for somebody to leave the count.

use std::time::Duration;

use crate::domain::{Draft, DraftClass, Timestamp};

use super::super::decide::Refusal;
use super::super::facts::Facts;
use super::super::reason::Reason;
use super::super::window::WindowState;
use super::concerned;

/// A draft that has waited so long is refused: a campaign of more people than the limit would wait for months.
const PATIENCE: Duration = Duration::from_secs(86_400);
/// Not to be asked again at once for each place that becomes free. A guess: a limit's places become free over a day.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(600);

/// What Meta counts. `Default`: the limit is not known, and none is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortfolioFact {
    pub limit: Option<i64>,
    /// People of the last 24 hours.
    pub people: i64,
    /// This person is one of them: one more message to them is free of it.
    pub counts_already: bool,
    /// When the next of them leaves the count.
    pub frees_at: Option<Timestamp>,
}

/// Refuses what cannot wait any more, and codes, which would come too late. Nobody is exempt: Meta exempts nobody.
pub(in crate::policy) fn leaves_room(
    facts: &Facts,
    draft: &Draft,
    now: Timestamp,
) -> Result<(), Refusal> {
    let Some(until) = full_until(facts, draft, now) else {
        return Ok(());
    };
    let is_code = concerned(facts, draft) == Some(DraftClass::Authentication);
    if is_code || now.since(draft.created_at) >= PATIENCE {
        return Err(Refusal::new(Reason::MessagingLimit)
            .allowing("answers, and messages to people who count already")
            .from(Some(until)));
    }
    Ok(())
}

/// Until when the others wait.
pub(super) fn wait_until(facts: &Facts, draft: &Draft, now: Timestamp) -> Option<Timestamp> {
    full_until(facts, draft, now)
}

fn full_until(facts: &Facts, draft: &Draft, now: Timestamp) -> Option<Timestamp> {
    concerned(facts, draft)?;
    let fact = &facts.limits.portfolio;
    let limit = fact.limit?;
    let outside = is_outside(facts, now);
    let full = outside && !fact.counts_already && fact.people >= limit;
    full.then(|| {
        let soonest = now.plus(LOOK_AGAIN_AFTER);
        fact.frees_at.map_or(soonest, |at| at.max(soonest))
    })
}

/// Does a message count? Of a window that is unknown, Meta may know that it is closed.
pub fn is_outside(facts: &Facts, now: Timestamp) -> bool {
    !matches!(facts.window.state(now), WindowState::Open { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::fixture::{code_of, facts, now, template};
    use crate::policy::{Decision, decide};

    fn full() -> Facts {
        let mut facts = facts();
        facts.window.last_inbound_at = None;
        facts.limits.portfolio = PortfolioFact {
            limit: Some(250),
            people: 250,
            counts_already: false,
            frees_at: Some(now().plus(Duration::from_secs(3600))),
        };
        facts
    }

    #[test]
    fn one_person_more_than_the_limit_waits_for_a_place() {
        let draft = template("order_update", "en");
        let decision = decide(&full(), &draft, now());
        assert_eq!(
            decision,
            Decision::Deferred {
                until: now().plus(Duration::from_secs(3600)),
                reason: Reason::MessagingLimit
            }
        );
        let mut counted = full();
        counted.limits.portfolio.counts_already = true;
        assert_eq!(code_of(&decide(&counted, &draft, now())), "cleared");
        let mut one_left = full();
        one_left.limits.portfolio.people = 249;
        assert_eq!(code_of(&decide(&one_left, &draft, now())), "cleared");
        let mut unknown = full();
        unknown.limits.portfolio.limit = None;
        assert_eq!(code_of(&decide(&unknown, &draft, now())), "cleared");
        let mut answered = full();
        answered.window.last_inbound_at = Some(now());
        assert_eq!(code_of(&decide(&answered, &draft, now())), "cleared");
    }

    #[test]
    fn codes_and_what_has_waited_for_a_day_are_refused() {
        let mut draft = template("code", "en");
        draft.created_at = now().minus(PATIENCE);
        let decision = decide(&full(), &draft, now());
        assert!(matches!(decision, Decision::Refused(_)));
        assert_eq!(code_of(&decision), "messaging_limit");
    }
}
