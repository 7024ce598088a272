//! What turns cause beside conversations, sends and memory, in a commit: contacts and consent locked first, the rest
//! written with the winners.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Finished;
use crate::consent::{self, Evidence};
use crate::domain::attribute::AttributeValue;
use crate::domain::{ConsentChannel, ContactId, ConversationId, IdGenerator, TenantId, Timestamp};
use crate::pipeline::caused::ContactKey;
use crate::pipeline::journal;
use crate::storage::contacts::{self, Contact};
use crate::storage::people::{self, Consents};
use crate::storage::plugin_events::{self, Metric};
use crate::storage::timers::{self, Timer, TimerKey};
use crate::storage::{Result, StorageError, Tx, notes};
use crate::sync::lock;

/// Timers of one conversation (WIT contract), and of one tenant. The second is a guess: one for each of a hundred
/// thousand customers.
const TIMERS_OF_CONVERSATION: usize = 32;
const TIMERS_OF_TENANT: i64 = 100_000;
/// How long a count of a tenant's timers is believed, with what this node adds to it.
const COUNT_HOLDS: Duration = Duration::from_secs(10);

/// Rows that a group's turns change, locked in the order in which attaching locks them.
pub(super) struct People {
    contacts: HashMap<ContactKey, Contact>,
    consents: Consents,
}

impl People {
    /// `also`: people whose consent is to be locked as well.
    pub(super) async fn lock(
        tx: &mut Tx,
        group: &[Finished],
        also: impl Iterator<Item = ContactId>,
    ) -> Result<Self> {
        let keys: BTreeSet<ContactKey> = group
            .iter()
            .filter(|turn| !turn.caused.contact.is_empty())
            .map(|turn| (turn.event.tenant, turn.event.contact))
            .collect();
        let mut locked = HashMap::new();
        for (tenant, id) in keys {
            if let Some(contact) = contacts::lock(tx, tenant, id).await? {
                locked.insert((tenant, id), contact);
            }
        }
        let people: Vec<ContactId> = group
            .iter()
            .filter(|turn| !turn.caused.consent.is_empty())
            .map(|turn| turn.event.contact)
            .collect();
        Ok(Self {
            contacts: locked,
            consents: lock_consents(tx, &people, also).await?,
        })
    }

    /// The consent of those who were locked, as it stands. Of somebody who went into another contact it may be missing.
    pub(super) fn consents(&self) -> &Consents {
        &self.consents
    }

    /// Writes what winners change of people, upon the rows as they stand.
    pub(super) async fn write(
        &mut self,
        tx: &mut Tx,
        ids: &IdGenerator,
        winners: &[&Finished],
    ) -> Result<()> {
        for turn in winners {
            let key = (turn.event.tenant, turn.event.contact);
            if let Some(contact) = self.contacts.get_mut(&key)
                && !turn.caused.contact.is_empty()
            {
                put(contact, &turn.caused.contact)?;
                contacts::store(tx, key.0, contact).await?;
            }
        }
        for turn in winners {
            self.hear(tx, ids, turn).await?;
        }
        Ok(())
    }

    /// Two turns of one person may be in a group: each begins from what the other left.
    async fn hear(&mut self, tx: &mut Tx, ids: &IdGenerator, turn: &Finished) -> Result<()> {
        if turn.caused.consent.is_empty() {
            return Ok(());
        }
        let Some(mut row) = self.consents.of(turn.event.contact).copied() else {
            return Err(StorageError::Corrupt(
                "a contact without consent".to_owned(),
            ));
        };
        let mut statements = Vec::new();
        for heard in &turn.caused.consent {
            let next = row.state.after_inbound(Some(heard.word), heard.at).0;
            let evidence = Evidence {
                proof: json!({
                    "wamid": turn.event.wamid, "plugin": heard.plugin, "words": heard.words,
                    "turn": turn.row.id,
                }),
                ..Evidence::default()
            };
            let (whose, how) = (
                (turn.event.tenant, row.contact),
                (ConsentChannel::Plugin, heard.at),
            );
            let states = (&row.state, &next);
            statements.extend(consent::changes(whose, states, |_| None, how, &evidence));
            row.state = next;
        }
        if !people::set_consent(tx, turn.event.tenant, &row).await? {
            return Err(StorageError::Corrupt(
                "a locked consent row moved".to_owned(),
            ));
        }
        let now = turn.row.at;
        consent::append(tx, &statements, now, || ids.next(now)).await?;
        self.consents = lock_consents(tx, &[turn.event.contact], std::iter::empty()).await?;
        Ok(())
    }
}

/// With those that speak for them since they became one with others; `also`: others, without.
async fn lock_consents(
    tx: &mut Tx,
    contacts: &[ContactId],
    also: impl Iterator<Item = ContactId>,
) -> Result<Consents> {
    let mut all: Vec<ContactId> = also.collect();
    if !contacts.is_empty() {
        let with = people::read_consent_all_tenants(tx, contacts).await?;
        all.extend(with.rows().map(|row| row.contact));
    }
    people::lock_consent_all_tenants(tx, &all).await
}

fn put(contact: &mut Contact, changes: &BTreeMap<String, Option<AttributeValue>>) -> Result<()> {
    let mut has: Map<String, Value> = serde_json::from_str(&contact.attributes)
        .map_err(|_| StorageError::Corrupt(format!("attributes of {}", contact.id)))?;
    for (key, value) in changes {
        match value {
            Some(value) => drop(has.insert(key.clone(), value.plain())),
            None => drop(has.remove(key)),
        }
    }
    contact.attributes = Value::Object(has).to_string();
    Ok(())
}

/// How many timers tenants have, as this node last counted.
#[derive(Debug, Default)]
pub(in crate::pipeline) struct TimerCounts(Mutex<HashMap<TenantId, (Timestamp, i64)>>);

impl TimerCounts {
    async fn room(&self, tx: &mut Tx, tenant: TenantId, now: Timestamp) -> Result<i64> {
        let known = self.lock().get(&tenant).copied();
        let fresh = known.filter(|(at, _)| now < at.plus(COUNT_HOLDS));
        let count = match fresh {
            Some((_, count)) => count,
            None => {
                let count = timers::count(tx, tenant, TIMERS_OF_TENANT).await?;
                self.lock().insert(tenant, (now, count));
                count
            }
        };
        Ok(TIMERS_OF_TENANT - count)
    }

    fn add(&self, tenant: TenantId) {
        if let Some((_, count)) = self.lock().get_mut(&tenant) {
            *count += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, (Timestamp, i64)>> {
        lock(&self.0)
    }
}

/// Decides what becomes of the timers of turns that win, and notes in their journals which did not fit.
pub(super) async fn admit_timers(
    tx: &mut Tx,
    counts: &TimerCounts,
    winners: &mut [&mut Finished],
) -> Result<()> {
    let setting: Vec<ConversationId> = winners
        .iter()
        .filter(|turn| turn.keeps_timers() && turn.caused.timers.values().any(Option::is_some))
        .map(|turn| turn.event.conversation)
        .collect();
    let mut names: BTreeSet<TimerKey> = timers::names_of_all_tenants(tx, &setting)
        .await?
        .into_iter()
        .collect();
    for turn in winners.iter_mut() {
        let keeps = turn.keeps_timers();
        let (tenant, at) = (turn.event.tenant, turn.row.at);
        let mut refused = Vec::new();
        for (key, timer) in &mut turn.caused.timers {
            if timer.is_none() {
                names.remove(key);
            } else if !keeps {
                *timer = None;
            } else if !names.contains(key) {
                let others = names
                    .iter()
                    .filter(|other| other.conversation == key.conversation);
                let fits = others.count() < TIMERS_OF_CONVERSATION
                    && counts.room(tx, tenant, at).await? > 0;
                if fits {
                    names.insert(key.clone());
                    counts.add(tenant);
                } else {
                    refused.push(format!("{}/{}", key.plugin, key.name));
                    *timer = None;
                }
            }
        }
        journal::note_list(&mut turn.row.journal, "timers_refused", &refused);
    }
    Ok(())
}

/// Writes the rest of what winners cause.
pub(super) async fn write(tx: &mut Tx, winners: &[&Finished]) -> Result<()> {
    write_timers(tx, winners).await?;
    let caused = || winners.iter().map(|turn| &turn.caused);
    let events: Vec<_> = caused().flat_map(|caused| caused.events.clone()).collect();
    plugin_events::append_all_tenants(tx, &events).await?;
    let all: Vec<_> = caused().flat_map(|caused| caused.notes.clone()).collect();
    notes::append_all_tenants(tx, &all).await?;
    let mut metrics: BTreeMap<(TenantId, String, String, i64), Metric> = BTreeMap::new();
    for turn in winners {
        for metric in turn.caused.metrics.values() {
            let (plugin, name) = (metric.plugin.clone(), metric.name.clone());
            let key = (turn.event.tenant, plugin, name, metric.hour);
            match metrics.get_mut(&key) {
                Some(sum) => sum.add(metric.samples, metric.total, metric.least, metric.most),
                None => drop(metrics.insert(key, metric.clone())),
            }
        }
    }
    let metrics: Vec<_> = metrics
        .into_iter()
        .map(|((tenant, ..), metric)| (tenant, metric))
        .collect();
    plugin_events::count_all_tenants(tx, &metrics).await
}

/// Where the bot has the conversation no more, or it is closed, every timer of it ends.
async fn write_timers(tx: &mut Tx, winners: &[&Finished]) -> Result<()> {
    let (mut over, mut again) = (Vec::new(), Vec::new());
    let (mut set, mut ended): (BTreeMap<&TimerKey, &Timer>, Vec<TimerKey>) = Default::default();
    for turn in winners {
        if turn.timers_end {
            over.push(turn.event.conversation);
            continue;
        }
        if turn.keeps_timers() {
            again.extend(turn.caused.timer_again.clone());
        }
        for (key, timer) in &turn.caused.timers {
            match timer {
                Some(timer) => drop(set.insert(key, timer)),
                None => ended.push(key.clone()),
            }
        }
    }
    timers::end_of_all_tenants(tx, &over).await?;
    ended.sort_unstable();
    timers::cancel_all_tenants(tx, &ended).await?;
    let set: Vec<Timer> = set.into_values().cloned().collect();
    timers::set_all_tenants(tx, &set).await?;
    again.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    timers::set_again_all_tenants(tx, &again).await
}
