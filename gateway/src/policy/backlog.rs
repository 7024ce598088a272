//! Rule 7, the last: a stored STOP that nobody has read yet outranks whatever the business wants to say.

use std::time::Duration;

use crate::domain::{Draft, Timestamp};

use super::facts::Facts;

/// Promise 4: business-initiated sends wait while the oldest unsplit body of the number is older than this.
const STALE_AFTER: Duration = Duration::from_secs(5);
/// When to look again. A guess: a backlog drains in seconds or lasts for minutes, and one look a second is cheap.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// When to ask again, if the draft has to wait at all. Replies and confirmations answer the person and never wait.
pub(super) fn wait_until(facts: &Facts, draft: &Draft, now: Timestamp) -> Option<Timestamp> {
    let oldest = facts.backlog.oldest_unsplit_raw_at?;
    let waits = draft.class.is_business_initiated() && now.since(oldest) > STALE_AFTER;
    waits.then(|| now.plus(LOOK_AGAIN_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::DraftClass;
    use crate::policy::fixture::{facts, now, plugin_reply, template};
    use crate::policy::{Decision, Reason, decide};

    fn decision(behind: Duration, draft: &Draft) -> Decision {
        let mut facts = facts();
        facts.backlog.oldest_unsplit_raw_at = Some(now().minus(behind));
        decide(&facts, draft, now())
    }

    #[test]
    fn business_initiated_sends_wait_for_an_unread_webhook_older_than_five_seconds() {
        for class in [
            DraftClass::Utility,
            DraftClass::Marketing,
            DraftClass::Authentication,
        ] {
            let mut draft = template("order_update", "en");
            draft.class = class;
            let at_the_edge = decision(STALE_AFTER, &draft);
            assert!(matches!(at_the_edge, Decision::Cleared(_)), "{class:?}");
            let beyond = decision(STALE_AFTER + Duration::from_millis(1), &draft);
            assert_eq!(
                beyond,
                Decision::Deferred {
                    until: now().plus(LOOK_AGAIN_AFTER),
                    reason: Reason::IngestBacklog
                }
            );
        }
    }

    #[test]
    fn a_reply_does_not_wait_for_the_backlog() {
        let decision = decision(Duration::from_secs(3600), &plugin_reply("hi"));
        assert!(matches!(decision, Decision::Cleared(_)));
    }
}
