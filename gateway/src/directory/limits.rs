//! What limits count for one conversation, as it stands, unlocked: for a first decision, and for who asks. The claim counts
//! again, locked (`delivery::limits`).

use std::collections::HashMap;
use std::time::Duration;

use super::NumberEntry;
use crate::domain::{ContactId, Timestamp};
use crate::policy::limits::{LimitFacts, PortfolioFact, month_of};
use crate::storage::conversations::Conversation;
use crate::storage::{Result, Tx, limits};

const DAY: Duration = Duration::from_secs(86_400);
const WEEK: Duration = Duration::from_secs(7 * 86_400);

impl NumberEntry {
    /// `person`: who the conversation's contact is now.
    pub async fn counted_limits(
        &self,
        tx: &mut Tx,
        conversation: &Conversation,
        person: ContactId,
        now: Timestamp,
    ) -> Result<LimitFacts> {
        let rules = &self.tenant.limits;
        let mut caps = rules.caps();
        if caps.is_set() {
            let people = [conversation.contact, person];
            let begun = limits::begun_all_tenants(tx, &people, now.minus(WEEK)).await?;
            caps.sent = begun.iter().map(|one| (one.class, one.at)).collect();
        }
        let people = [conversation.contact, person];
        let held_off = limits::held_off_all_tenants(tx, &people, now.minus(DAY)).await?;
        caps.held_off_at = held_off.iter().map(|(_, at)| *at).max();
        let mut used: HashMap<i64, i64> = HashMap::new();
        if rules.has_months() {
            for (key, messages) in limits::months_of(tx, self.tenant.id, month_of(now)).await? {
                *used.entry(key.class).or_default() += messages;
            }
        }
        Ok(LimitFacts {
            quiet: self.quiet(conversation),
            caps,
            portfolio: portfolio(tx, &self.number.portfolio, person, now).await?,
            month: rules.month(|class| used.get(&class.code()).copied().unwrap_or_default()),
        })
    }
}

async fn portfolio(
    tx: &mut Tx,
    name: &str,
    person: ContactId,
    now: Timestamp,
) -> Result<PortfolioFact> {
    let known = limits::portfolio_limits_all_tenants(tx, &[name]).await?;
    let Some(limit) = known.get(name).copied().filter(|limit| *limit >= 0) else {
        return Ok(PortfolioFact::default());
    };
    let since = now.minus(DAY);
    let (people, first) = limits::people_all_tenants(tx, name, since).await?;
    let reached = limits::reached_of_all_tenants(tx, name, &[person], since).await?;
    Ok(PortfolioFact {
        limit: Some(limit),
        people,
        counts_already: !reached.is_empty(),
        frees_at: first.map(|at| at.plus(DAY)),
    })
}
