//! How often, when and how many: limits that a tenant sets itself, and those that Meta counts by.
//!
//! All of them concern what the business begins. Who is exempt is said by each rule, by name; nothing else is.

mod caps;
mod month;
mod portfolio;
mod quiet;
mod rules;
mod zones;

use crate::domain::{Draft, DraftClass, Timestamp};

use super::category;
use super::facts::Facts;
use super::reason::Reason;

pub use caps::{Cap, CapFact};
pub use month::{MonthFact, first_of_next_month, month_of};
pub use portfolio::{PortfolioFact, is_outside};
pub use quiet::{QuietFact, QuietHours, likely_zones, zone};
pub use rules::{CategoryRules, LimitRules};

pub(super) use caps::leaves_room as person_has_room;
pub(super) use month::leaves_room as month_has_room;
pub(super) use portfolio::leaves_room as portfolio_has_room;

/// What is known of the limits that bear on a draft. `Default`: nothing is limited.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitFacts {
    pub quiet: QuietFact,
    pub caps: CapFact,
    pub portfolio: PortfolioFact,
    pub month: MonthFact,
}

/// The class that limits count a draft as: what Meta calls it today, else what its sender does. `None`: it answers.
pub fn concerned(facts: &Facts, draft: &Draft) -> Option<DraftClass> {
    let class = category::effective_class(facts, draft).unwrap_or(draft.class);
    class.is_business_initiated().then_some(class)
}

/// What makes a draft wait that nothing else is against: the longest of it.
pub(super) fn wait_until(
    facts: &Facts,
    draft: &Draft,
    now: Timestamp,
) -> Option<(Timestamp, Reason)> {
    let quiet = quiet::wait_until(facts, draft, now).map(|until| (until, Reason::QuietHours));
    let portfolio =
        portfolio::wait_until(facts, draft, now).map(|until| (until, Reason::MessagingLimit));
    [quiet, portfolio]
        .into_iter()
        .flatten()
        .max_by_key(|(until, _)| *until)
}
