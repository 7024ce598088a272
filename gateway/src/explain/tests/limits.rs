//! Canned refusals by limits: caps, the portfolio's people, the month, quiet hours, Meta's own holding off.

use std::time::Duration;

use super::{Case, case, held, of_class};
use crate::domain::DraftClass::{Marketing, Utility};
use crate::policy::fixture::{now, template};
use crate::policy::limits::{Cap, PortfolioFact, QuietFact, QuietHours, zone};
use crate::policy::{HoldScope, Reason};

pub(super) fn limits() -> Vec<Case> {
    let hour = Duration::from_secs(3600);
    vec![
        held(
            "marketing is held",
            Reason::HoldMarketing,
            of_class(Marketing),
            HoldScope::Marketing,
            Some(3),
        ),
        case(
            "Meta held it off",
            Reason::HeldOff,
            of_class(Marketing),
            move |facts, _| facts.limits.caps.held_off_at = Some(now().minus(hour)),
        ),
        case(
            "one a day, and one was sent",
            Reason::PersonCap,
            of_class(Marketing),
            move |facts, _| {
                facts.limits.caps.marketing = Cap {
                    per_day: Some(1),
                    per_week: None,
                };
                facts.limits.caps.sent = vec![(Marketing, now().minus(hour))];
            },
        ),
        case(
            "250 people, and the 251st",
            Reason::MessagingLimit,
            template("news", "en"),
            move |facts, _| {
                facts.window.last_inbound_at = None;
                facts.limits.portfolio = PortfolioFact {
                    limit: Some(250),
                    people: 250,
                    counts_already: false,
                    frees_at: Some(now().plus(hour)),
                };
            },
        ),
        case(
            "the month is used up",
            Reason::MonthlyCap,
            of_class(Utility),
            |facts, _| facts.limits.month.utility = Some(0),
        ),
        case(
            "in the night",
            Reason::QuietHours,
            of_class(Marketing),
            |facts, _| {
                let all_day = QuietHours {
                    from: 0,
                    to: 24 * 60 - 1,
                    days: 0,
                };
                facts.limits.quiet = QuietFact {
                    utility: None,
                    marketing: Some(all_day),
                    zones: zone("UTC").into_iter().collect(),
                };
            },
        ),
    ]
}
