//! What is counted beside the way of messages: service messages of a number and month against Meta's allowance, and how
//! much of a number's marketing Meta holds off.
//!
//! Counted in memory by the node that sends, so that a reply costs no write of its own; sums are written every few
//! seconds. A node that is killed forgets what it has not written yet: these numbers warn, they bill nobody.

mod brake;
mod month;
mod quality;

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use crate::domain::{Draft, DraftClass, NumberId, Timestamp};
use crate::storage::limits::MonthKey;
use crate::sync::lock;

pub use brake::{BRAKED_FOR, Brake, HAD_ENOUGH, is_held_off};
pub use month::{keep, month_in};
pub use quality::QualityWatch;

use brake::LastHour;

/// The counts of this node.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Not written yet.
    months: BTreeMap<MonthKey, i64>,
    marketing: HashMap<NumberId, LastHour>,
}

impl Meter {
    /// Meta took a send. `zone`: of the number's account, whose calendar Meta goes by.
    pub fn accepted(&self, draft: &Draft, zone: &str, now: Timestamp) {
        let mut counts = lock(&self.0);
        if draft.class == DraftClass::Marketing {
            counts.marketing.entry(draft.number).or_default().sent(now);
        }
        // Facts §6.3: what is no template is a service message. Ticks are no messages.
        if draft.content.template().is_none() && draft.content.has_receipts() {
            let key = MonthKey {
                tenant: draft.tenant,
                month: month_in(zone, now),
                number: draft.number,
                class: DraftClass::Reply.code(),
            };
            *counts.months.entry(key).or_default() += 1;
        }
    }

    /// Meta held off a message of this number's: 131048 or 131049. Answers the brake, once it has to be put on.
    pub fn held_off(&self, number: NumberId, now: Timestamp) -> Option<Brake> {
        lock(&self.0)
            .marketing
            .entry(number)
            .or_default()
            .held_off(now)
    }

    fn take_months(&self) -> BTreeMap<MonthKey, i64> {
        std::mem::take(&mut lock(&self.0).months)
    }

    /// They could not be written.
    fn put_back(&self, months: BTreeMap<MonthKey, i64>) {
        let mut counts = lock(&self.0);
        for (key, more) in months {
            *counts.months.entry(key).or_default() += more;
        }
    }
}
