//! What Meta says of accounts, numbers and templates (`whatsapp-cloud-api.md` §1.5): kept as facts, and obeyed where it
//! stops or releases sending.
//!
//! Only the latest of a fact is obeyed, by Meta's time: a webhook that comes twice, late or out of order changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::event_at;
use super::split::News;
use super::templates::{self, Heard};
use super::{AttachError, Attacher};
use crate::domain::account::{Cause, Extent, LOW_QUALITY, Order, Stop, Subject};
use crate::domain::number::Number;
use crate::domain::template::Learnt;
use crate::domain::{AuditId, EventId, HoldId, TenantId, Timestamp};
use crate::storage::account_facts::{self, FactKind, FactRow};
use crate::storage::events::{EventKind, NewEvent};
use crate::storage::holds::{self, Held, HeldTemplate, Hold};
use crate::storage::{Tx, events, limits, numbers, template_accounts};
use crate::tenants::holds::{lift_by_gateway, place_by_gateway};

/// Keeps and obeys the news of a batch, in order.
pub(super) async fn apply(
    attacher: &Attacher,
    tx: &mut Tx,
    news: &[News],
    now: Timestamp,
) -> Result<Vec<Heard>, AttachError> {
    let mut heard = Vec::new();
    for one in news {
        let mut tenants: BTreeMap<TenantId, Vec<&Number>> = BTreeMap::new();
        for entry in &one.entries {
            let number: &Number = &entry.number;
            tenants.entry(number.tenant).or_default().push(number);
        }
        for (tenant, numbers) in tenants {
            let event = event(attacher, tenant, one, now);
            events::append_all_tenants(tx, std::slice::from_ref(&event)).await?;
            let told = Told {
                attacher,
                tenant,
                numbers,
                one,
                event: event.id,
                now,
            };
            heard.extend(told.apply(tx).await?);
        }
    }
    Ok(heard)
}

fn event(attacher: &Attacher, tenant: TenantId, one: &News, now: Timestamp) -> NewEvent {
    NewEvent {
        tenant: Some(tenant),
        kind: EventKind::Account,
        content: serde_json::to_string(&one.news).expect("news is JSON"),
        ..event_at(attacher, &one.place, now)
    }
}

/// One piece of news, told to one tenant.
struct Told<'a> {
    attacher: &'a Attacher,
    tenant: TenantId,
    /// The tenant's numbers that it is about.
    numbers: Vec<&'a Number>,
    one: &'a News,
    event: EventId,
    now: Timestamp,
}

impl Told<'_> {
    /// Answers what it says of a template.
    async fn apply(&self, tx: &mut Tx) -> Result<Option<Heard>, AttachError> {
        let mut news = BTreeSet::new();
        for fact in &self.one.news.facts {
            let mut latest = false;
            for subject in self.subjects() {
                let row = FactRow {
                    fact: fact.name.clone(),
                    value: fact.value.clone(),
                    ..subject
                };
                latest |= account_facts::record(tx, self.tenant, &row).await?;
            }
            if latest && fact.name == "messaging_limit" {
                self.learn_limit(tx, &fact.value).await?;
            }
            if let Some(order) = fact.then.as_ref().filter(|_| latest) {
                self.obey(tx, order).await?;
            }
            if latest {
                news.insert(fact.name.as_str());
            }
        }
        let spoken = templates::words(&self.one.news, |name| news.contains(name));
        Ok(spoken.map(|spoken| Heard {
            tenant: self.tenant,
            account: self.one.account.clone(),
            at: self.one.place.at,
            how: Learnt::Webhook,
            spoken,
        }))
    }

    /// How many people the portfolio may message outside a window (facts §6.6): policy counts them.
    async fn learn_limit(&self, tx: &mut Tx, tier: &str) -> Result<(), AttachError> {
        let Some(people) = people_of_tier(tier) else {
            return Ok(());
        };
        let portfolios: BTreeSet<&str> = self
            .numbers
            .iter()
            .map(|number| number.portfolio.as_str())
            .collect();
        for portfolio in portfolios {
            let at = self.one.place.at;
            limits::set_portfolio_limit(tx, self.tenant, portfolio, people, at).await?;
        }
        Ok(())
    }

    /// The rows that a fact gets, but for what it says: one, or one for each number that Meta named.
    fn subjects(&self) -> Vec<FactRow> {
        let row = |account: &str, kind, name: &str, language: &str| FactRow {
            account: account.to_owned(),
            kind,
            name: name.to_owned(),
            language: language.to_owned(),
            fact: String::new(),
            at: self.one.place.at,
            value: String::new(),
            event: self.event,
        };
        let account = self.one.account.as_str();
        match &self.one.news.subject {
            Subject::Account => vec![row(account, FactKind::Account, "", "")],
            Subject::Template { name, language } => {
                vec![row(account, FactKind::Template, name, language)]
            }
            Subject::Flow(flow) => vec![row(account, FactKind::Flow, flow, "")],
            Subject::Displayed(_) | Subject::NumberId(_) => self
                .numbers
                .iter()
                .map(|number| {
                    let id = &number.phone_number_id;
                    row(&number.waba_id, FactKind::Number, id, "")
                })
                .collect(),
        }
    }

    async fn obey(&self, tx: &mut Tx, order: &Order) -> Result<(), AttachError> {
        match order {
            Order::Hold(stop) => self.hold(tx, stop).await,
            Order::Release(causes) => {
                for cause in causes {
                    self.release(tx, *cause).await?;
                }
                Ok(())
            }
            Order::Brake(reason) => {
                let stop = Stop {
                    cause: Cause::QualityDropped,
                    extent: Extent::Marketing,
                    until: Some(self.one.place.at.plus(LOW_QUALITY)),
                    reason: reason.clone(),
                };
                self.hold(tx, &stop).await
            }
            Order::Throughput(throughput) => {
                for number in &self.numbers {
                    numbers::raise_throughput(tx, self.tenant, number.id, *throughput).await?;
                }
                Ok(())
            }
        }
    }

    async fn hold(&self, tx: &mut Tx, stop: &Stop) -> Result<(), AttachError> {
        if stop.until.is_some_and(|until| until <= self.now) {
            return Ok(());
        }
        // What is known of every template says so itself, with a reason for each state.
        if stop.cause == Cause::TemplateState && self.knows_templates(tx).await? {
            return Ok(());
        }
        for held in self.held(stop.extent) {
            let placed_by = stop.cause.origin();
            // Meta may extend a restriction: the last word of it counts.
            if stop.until.is_some() {
                self.lift(tx, &held, &placed_by, "Meta told its end anew")
                    .await?;
            } else if holds::is_held_by_all_tenants(tx, &held, &placed_by, self.now).await? {
                continue;
            }
            tracing::warn!(?held, cause = stop.cause.word(), "hold placed");
            let hold = Hold {
                id: HoldId::from_raw(self.attacher.ids.next(self.now)),
                held,
                reason: stop.reason.clone(),
                placed_by,
                placed_at: self.now,
                until: stop.until,
                lifted_at: None,
            };
            place_by_gateway(tx, &hold, self.entry()).await?;
        }
        Ok(())
    }

    async fn knows_templates(&self, tx: &mut Tx) -> Result<bool, AttachError> {
        let account = &self.one.account;
        Ok(template_accounts::is_synced(tx, self.tenant, account).await?)
    }

    /// Lifts what this cause stopped, also where a send met its error before the webhook came. What people hold stays.
    async fn release(&self, tx: &mut Tx, cause: Cause) -> Result<(), AttachError> {
        let extents = [
            Extent::Everything,
            Extent::Templates,
            Extent::Answers,
            Extent::Marketing,
        ];
        let mut held: Vec<Held> = extents.into_iter().flat_map(|one| self.held(one)).collect();
        if self.one.news.subject == Subject::Account {
            // Such an error held the tenant: it does not say which of the accounts it was.
            held.push(Held::Tenant(self.tenant));
        }
        let origins = cause.origins();
        let why = format!("Meta took it back: {}", cause.word());
        for held in &held {
            for origin in &origins {
                self.lift(tx, held, origin, &why).await?;
            }
        }
        Ok(())
    }

    async fn lift(
        &self,
        tx: &mut Tx,
        held: &Held,
        origin: &str,
        why: &str,
    ) -> Result<(), AttachError> {
        let entry = || self.entry();
        Ok(lift_by_gateway(tx, (held, origin), why, self.now, entry).await?)
    }

    /// Of the audit log.
    fn entry(&self) -> AuditId {
        AuditId::from_raw(self.attacher.ids.next(self.now))
    }

    fn held(&self, extent: Extent) -> Vec<Held> {
        let tenant = self.tenant;
        if let Subject::Template { name, language } = &self.one.news.subject {
            // Of the accounts that it is about: another of the tenant's may have a template of that name.
            let accounts: BTreeSet<&String> =
                self.numbers.iter().map(|number| &number.waba_id).collect();
            let template = |account: &String| HeldTemplate {
                account: account.clone(),
                name: name.clone(),
                language: language.clone(),
            };
            let held = accounts.into_iter().map(template);
            return held.map(|one| Held::Template(tenant, one)).collect();
        }
        let held = |number: &&Number| match extent {
            Extent::Everything => Held::Number(tenant, number.id),
            Extent::Templates => Held::NumberTemplates(tenant, number.id),
            Extent::Answers => Held::NumberReplies(tenant, number.id),
            Extent::Marketing => Held::NumberMarketing(tenant, number.id),
        };
        self.numbers.iter().map(held).collect()
    }
}

/// Meta writes `TIER_2K`, or the number itself; -1 and `TIER_UNLIMITED` are no limit. `None`: a tier that says nothing.
fn people_of_tier(tier: &str) -> Option<i64> {
    let word = tier.trim().trim_matches('"');
    let word = word.strip_prefix("TIER_").unwrap_or(word);
    match word {
        "UNLIMITED" => Some(-1),
        _ => match word.strip_suffix('K') {
            Some(thousands) => thousands.parse::<i64>().ok()?.checked_mul(1000),
            None => word.parse().ok(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::people_of_tier;

    #[test]
    fn tiers_are_read_as_meta_writes_them() {
        let cases = [
            ("TIER_50", Some(50)),
            ("TIER_250", Some(250)),
            ("TIER_2K", Some(2_000)),
            ("TIER_100K", Some(100_000)),
            ("TIER_UNLIMITED", Some(-1)),
            ("-1", Some(-1)),
            ("10000", Some(10_000)),
            ("TIER_NOT_SET", None),
            ("", None),
        ];
        for (tier, people) in cases {
            assert_eq!(people_of_tier(tier), people, "{tier}");
        }
    }
}
