//! What limits count at the claim: read for the rows that the business begins, kept up to date while they are judged one
//! after the other, and written with them. Replies touch nothing of it.
//!
//! How far a limit may be passed. A person's cap: not at all, their consent row is locked. A tenant's month: by what other
//! nodes claim at the same moment, `claim_rows` of each. Meta's messaging limit: by the same, while fewer than [`NEAR`]
//! places are left; before that it is counted anew every [`COUNT_EVERY`] only.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use crate::domain::{ContactId, ConversationId, Draft, DraftClass, OutboxId, TenantId, Timestamp};
use crate::policy::limits::{LimitFacts, LimitRules, PortfolioFact, month_of};
use crate::storage::claims::ConversationFacts;
use crate::storage::limits::{self, Begun, MonthKey, Reached};
use crate::storage::outbox::{OutboxRow, deferred};
use crate::storage::people::Consents;
use crate::storage::{Result, Tx};
use crate::sync::lock;

use super::world::World;

const DAY: Duration = Duration::from_secs(86_400);
const WEEK: Duration = Duration::from_secs(7 * 86_400);
/// Places left from which on every claim counts. More than a busy portfolio uses up in [`COUNT_EVERY`]: a number sends at
/// most 1,000 messages a second (facts §6.7).
const NEAR: i64 = 20_000;
/// Counting a hundred thousand people takes milliseconds of the writer.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// Counts of portfolios that are far from their limit: portfolio → when it was counted, people, with those since.
#[derive(Debug, Default)]
pub(super) struct FarFromLimits(Mutex<HashMap<String, (Timestamp, i64)>>);

/// What one portfolio's rows are judged by.
#[derive(Debug)]
struct Portfolio {
    limit: i64,
    people: i64,
    frees_at: Option<Timestamp>,
    /// Those of this claim's people who count already.
    reached: HashSet<ContactId>,
}

/// What is counted for the rows of one claim.
#[derive(Debug, Default)]
pub(super) struct Counted {
    begun: HashMap<ContactId, Vec<Begun>>,
    held_off: HashMap<ContactId, Timestamp>,
    portfolios: HashMap<String, Portfolio>,
    months: HashMap<(TenantId, i64), i64>,
    first_due: HashMap<ConversationId, OutboxId>,
    new: Vec<(Begun, MonthKey)>,
    reached: Vec<Reached>,
}

/// A row that goes, as limits count it.
pub(super) struct Going<'a> {
    pub(super) row: &'a OutboxRow,
    /// Who they are now.
    pub(super) contact: ContactId,
    pub(super) class: DraftClass,
    /// The portfolio, if the message goes outside a window.
    pub(super) portfolio: Option<&'a str>,
}

impl Counted {
    pub(super) async fn load(
        tx: &mut Tx,
        world: &World,
        far: &FarFromLimits,
        rows: &[OutboxRow],
        consent: &Consents,
        now: Timestamp,
    ) -> Result<Self> {
        let mut counted = Self::default();
        let begins: Vec<&OutboxRow> = rows.iter().filter(|row| is_limited(&row.draft)).collect();
        if begins.is_empty() {
            return Ok(counted);
        }
        counted.load_begun(tx, world, &begins, consent, now).await?;
        counted.load_held_off(tx, &begins, consent, now).await?;
        counted.load_months(tx, world, &begins, now).await?;
        counted
            .load_portfolios(tx, world, far, &begins, consent, now)
            .await?;
        let conversations: Vec<ConversationId> =
            begins.iter().map(|row| row.draft.conversation).collect();
        let first = deferred::first_due_all_tenants(tx, &conversations, now).await?;
        counted.first_due = first.into_iter().collect();
        Ok(counted)
    }

    /// Only where somebody limits by it; with what was begun with contacts who went into these.
    async fn load_begun(
        &mut self,
        tx: &mut Tx,
        world: &World,
        rows: &[&OutboxRow],
        consent: &Consents,
        now: Timestamp,
    ) -> Result<()> {
        let has_caps = |row: &&&OutboxRow| {
            let rules = world.directory.limits(row.draft.number);
            rules.caps().is_set() || rules.has_months()
        };
        let limited = rows.iter().filter(has_caps);
        let contacts = people(limited, consent);
        for begun in limits::begun_all_tenants(tx, &contacts, now.minus(WEEK)).await? {
            let now_is = survivor(consent, begun.contact);
            self.begun.entry(now_is).or_default().push(begun);
        }
        Ok(())
    }

    async fn load_held_off(
        &mut self,
        tx: &mut Tx,
        rows: &[&OutboxRow],
        consent: &Consents,
        now: Timestamp,
    ) -> Result<()> {
        let contacts = people(rows.iter(), consent);
        for (contact, at) in limits::held_off_all_tenants(tx, &contacts, now.minus(DAY)).await? {
            let held = self
                .held_off
                .entry(survivor(consent, contact))
                .or_insert(at);
            *held = at.max(*held);
        }
        Ok(())
    }

    async fn load_months(
        &mut self,
        tx: &mut Tx,
        world: &World,
        rows: &[&OutboxRow],
        now: Timestamp,
    ) -> Result<()> {
        let limited = rows
            .iter()
            .filter(|row| world.directory.limits(row.draft.number).has_months());
        let tenants: BTreeSet<TenantId> = limited.map(|row| row.draft.tenant).collect();
        for tenant in tenants {
            for (key, messages) in limits::months_of(tx, tenant, month_of(now)).await? {
                *self.months.entry((tenant, key.class)).or_default() += messages;
            }
        }
        Ok(())
    }

    async fn load_portfolios(
        &mut self,
        tx: &mut Tx,
        world: &World,
        far: &FarFromLimits,
        rows: &[&OutboxRow],
        consent: &Consents,
        now: Timestamp,
    ) -> Result<()> {
        let mut people: BTreeMap<String, Vec<ContactId>> = BTreeMap::new();
        for row in rows {
            if let Some(number) = world.directory.number(row.draft.number) {
                let contact = survivor(consent, row.draft.contact);
                people
                    .entry(number.portfolio.clone())
                    .or_default()
                    .push(contact);
            }
        }
        let names: Vec<&str> = people.keys().map(String::as_str).collect();
        let since = now.minus(DAY);
        for (name, limit) in limits::portfolio_limits_all_tenants(tx, &names).await? {
            if limit < 0 {
                continue;
            }
            let contacts = &people[&name];
            let reached = limits::reached_of_all_tenants(tx, &name, contacts, since).await?;
            let (people, frees_at) = match far.count_of(&name, limit, now) {
                Some(people) => (people, None),
                None => {
                    let (people, first) = limits::people_all_tenants(tx, &name, since).await?;
                    far.counted(&name, people, now);
                    (people, first.map(|at| at.plus(DAY)))
                }
            };
            let reached = reached.into_iter().collect();
            let portfolio = Portfolio {
                limit,
                people,
                frees_at,
                reached,
            };
            self.portfolios.insert(name, portfolio);
        }
        Ok(())
    }

    /// The facts for one row.
    pub(super) fn facts(
        &self,
        rules: &LimitRules,
        row: &OutboxRow,
        contact: ContactId,
        conversation: &ConversationFacts,
        (portfolio, zone): (&str, &str),
    ) -> LimitFacts {
        let draft = &row.draft;
        if !is_limited(draft) {
            return LimitFacts::default();
        }
        let begun = self.begun.get(&contact).map_or(&[][..], Vec::as_slice);
        let others = begun.iter().filter(|one| one.outbox != draft.id);
        let mut caps = rules.caps();
        caps.sent = others.map(|one| (one.class, one.at)).collect();
        caps.held_off_at = self.held_off.get(&contact).copied();
        let again = begun.iter().find(|one| one.outbox == draft.id);
        let month = rules.month(|class| {
            let used = self.months.get(&(draft.tenant, class.code())).copied();
            let itself = again.is_some_and(|one| one.class == class);
            used.unwrap_or_default() - i64::from(itself)
        });
        LimitFacts {
            quiet: rules.quiet(
                &conversation.contact_attributes,
                || Some(draft.recipient.clone()),
                zone,
            ),
            caps,
            portfolio: self.portfolio(portfolio, contact),
            month,
        }
    }

    fn portfolio(&self, name: &str, contact: ContactId) -> PortfolioFact {
        let known = self.portfolios.get(name);
        known.map_or_else(PortfolioFact::default, |known| PortfolioFact {
            limit: Some(known.limit),
            people: known.people,
            counts_already: known.reached.contains(&contact),
            frees_at: known.frees_at,
        })
    }

    /// Does something older of its conversation wait still that was due before this? Then this is not first.
    pub(super) fn is_overtaking(&self, row: &OutboxRow) -> bool {
        let first = self.first_due.get(&row.draft.conversation);
        let begins = row.draft.class.is_business_initiated();
        begins && first.is_some_and(|first| *first < row.draft.id)
    }

    /// Counts a row that goes, for those after it.
    pub(super) fn count(&mut self, going: &Going<'_>, now: Timestamp) {
        let draft = &going.row.draft;
        let begun = Begun {
            contact: going.contact,
            outbox: draft.id,
            tenant: draft.tenant,
            class: going.class,
            at: now,
        };
        let key = MonthKey {
            tenant: draft.tenant,
            month: month_of(now),
            number: draft.number,
            class: going.class.code(),
        };
        let of_person = self.begun.entry(going.contact).or_default();
        if !of_person.iter().any(|one| one.outbox == draft.id) {
            of_person.push(begun);
            *self.months.entry((draft.tenant, key.class)).or_default() += 1;
        }
        self.new.push((begun, key));
        let Some(portfolio) = going.portfolio else {
            return;
        };
        if let Some(known) = self.portfolios.get_mut(portfolio)
            && known.reached.insert(going.contact)
        {
            known.people += 1;
        }
        self.reached.push(Reached {
            portfolio: portfolio.to_owned(),
            contact: going.contact,
            tenant: draft.tenant,
            at: now,
        });
    }

    /// Writes what was counted, of the rows that were claimed.
    pub(super) async fn write(
        &self,
        tx: &mut Tx,
        far: &FarFromLimits,
        claimed: &HashSet<OutboxId>,
    ) -> Result<()> {
        let new: Vec<&(Begun, MonthKey)> = self
            .new
            .iter()
            .filter(|(begun, _)| claimed.contains(&begun.outbox))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let begun: Vec<Begun> = new.iter().map(|(begun, _)| *begun).collect();
        let first_time = limits::begin_all_tenants(tx, &begun).await?;
        let mut months: BTreeMap<MonthKey, i64> = BTreeMap::new();
        for (begun, key) in new {
            if first_time.contains(&begun.outbox) {
                *months.entry(*key).or_default() += 1;
            }
        }
        limits::count_all_tenants(tx, &months).await?;
        limits::reach_all_tenants(tx, &self.reached).await?;
        for (name, portfolio) in &self.portfolios {
            far.grown_to(name, portfolio.people);
        }
        Ok(())
    }
}

/// What answers in a person's conversation and is no template is nobody's to count.
fn is_limited(draft: &Draft) -> bool {
    draft.class.is_business_initiated() || draft.content.template().is_some()
}

/// Whom these rows are for, as they were written and as they are now.
fn people<'a>(rows: impl Iterator<Item = &'a &'a OutboxRow>, consent: &Consents) -> Vec<ContactId> {
    let both = rows.flat_map(|row| [row.draft.contact, survivor(consent, row.draft.contact)]);
    both.collect::<BTreeSet<_>>().into_iter().collect()
}

fn survivor(consent: &Consents, contact: ContactId) -> ContactId {
    consent.of(contact).map_or(contact, |row| row.contact)
}

impl FarFromLimits {
    /// The last count, if it is young and leaves so many places that its age does not matter.
    fn count_of(&self, portfolio: &str, limit: i64, now: Timestamp) -> Option<i64> {
        let counts = lock(&self.0);
        let (at, people) = counts.get(portfolio)?;
        let fresh = now.since(*at) < COUNT_EVERY && *at <= now;
        (fresh && limit - people > NEAR).then_some(*people)
    }

    fn counted(&self, portfolio: &str, people: i64, now: Timestamp) {
        lock(&self.0).insert(portfolio.to_owned(), (now, people));
    }

    fn grown_to(&self, portfolio: &str, people: i64) {
        if let Some((_, known)) = lock(&self.0).get_mut(portfolio) {
            *known = people.max(*known);
        }
    }
}
