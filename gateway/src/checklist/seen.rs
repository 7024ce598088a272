//! What the rows say of a tenant's readiness, read once: nothing is judged here.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Result;
use crate::domain::number::Number;
use crate::domain::{
    ConversationId, DraftClass, EventId, HookId, OutboxState, Owner, Sender, TenantId, Timestamp,
    id,
};
use crate::storage::account_facts::{self, FactKind, Filter, Place, Standing};
use crate::storage::attestations::{self, Attestation};
use crate::storage::events::word;
use crate::storage::holds::{self, Hold};
use crate::storage::hooks::{self, Hook};
use crate::storage::readiness::{self, Spoken};
use crate::storage::templates::{self, Template};
use crate::storage::{Tx, apps, conversations, history, numbers, outbox, tenants};
use crate::tenants::{SetupError, TenantSettings};

/// Everything that the lines are judged by.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub name: String,
    pub settings: TenantSettings,
    pub numbers: Vec<SeenNumber>,
    pub facts: Vec<Standing>,
    /// Those that the use cases name, of every account, as the registry has them.
    pub templates: Vec<Template>,
    pub holds: Vec<Hold>,
    pub hooks: Vec<Hook>,
    pub words: Vec<Attestation>,
    /// Another app answered too, and when that was told.
    pub echo_at: Option<Timestamp>,
    /// A word about consent that was confirmed.
    pub opt_out: Option<Ended>,
    /// A word about consent that was not.
    pub unconfirmed: Option<Ended>,
    /// Somebody who asked for a person and got one.
    pub person: Option<Ended>,
    /// Somebody who asked, and nobody came.
    pub nobody_came: Option<Ended>,
    /// An answer of a turn that reached the person.
    pub answered_at: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct SeenNumber {
    pub number: Number,
    pub verified_at: Option<Timestamp>,
    pub heard_at: Option<Timestamp>,
}

/// A message of somebody, and when it came to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub event: EventId,
    pub at: Timestamp,
}

/// Facts of accounts and numbers; hooks; messages with a word: longer lists than anybody has.
const MOST: i64 = 10_000;
const WORDS: i64 = 20;
/// Entries of a history that are looked through for an answer.
const ENTRIES: usize = 500;

pub(super) async fn read(tx: &mut Tx, tenant: TenantId, now: Timestamp) -> Result<Seen> {
    let row = tenants::tenant(tx, tenant).await?;
    let row = row.ok_or_else(|| SetupError::not_found("tenant", &tenant.to_string()))?;
    let (settings, _) = TenantSettings::read(&row.settings);
    let first = Place::default();
    let mut seen = Seen {
        name: row.name,
        settings,
        facts: account_facts::standing(tx, tenant, &Filter::default(), &first, MOST).await?,
        holds: holds::holds_of(tx, tenant, now, 0, MOST).await?,
        hooks: hooks::list(tx, tenant, HookId::from_raw(0), MOST).await?,
        words: attestations::of_tenant(tx, tenant).await?,
        echo_at: readiness::last_echo(tx, tenant).await?.map(told_at),
        answered_at: readiness::last_answer_delivered(tx, tenant)
            .await?
            .map(|id| id::made_at(id.raw())),
        ..Seen::default()
    };
    for number in numbers::numbers_all_tenants(tx).await? {
        if number.tenant == tenant {
            seen.numbers.push(of_number(tx, number).await?);
        }
    }
    seen.templates = named(tx, tenant, &seen).await?;
    consent_words(tx, tenant, &mut seen).await?;
    human_words(tx, tenant, &mut seen).await?;
    Ok(seen)
}

/// The templates that use cases name.
async fn named(tx: &mut Tx, tenant: TenantId, seen: &Seen) -> Result<Vec<Template>> {
    let cases = seen.settings.use_cases.iter();
    let names: BTreeSet<&String> = cases.flat_map(|case| &case.templates).collect();
    let accounts: BTreeSet<&str> = seen
        .numbers
        .iter()
        .map(|number| number.number.waba_id.as_str())
        .collect();
    let mut found = Vec::new();
    for account in accounts {
        for name in &names {
            found.extend(templates::languages(tx, tenant, account, name).await?);
        }
    }
    Ok(found)
}

fn told_at(event: EventId) -> Timestamp {
    id::made_at(event.raw())
}

async fn of_number(tx: &mut Tx, number: Number) -> Result<SeenNumber> {
    let heard = readiness::last_of_number(tx, number.tenant, number.id).await?;
    Ok(SeenNumber {
        verified_at: apps::verified_at_all_tenants(tx, number.app).await?,
        heard_at: heard.map(told_at),
        number,
    })
}

/// The confirmation of a word stands behind it in the history.
async fn consent_words(tx: &mut Tx, tenant: TenantId, seen: &mut Seen) -> Result<()> {
    for said in readiness::last_words(tx, tenant, word::CONSENT, WORDS).await? {
        let behind = behind(tx, tenant, said).await?;
        let sent = outbox::by_ids(tx, tenant, &behind).await?;
        let answers = sent.iter().filter(|row| row.turn.is_none());
        let mut answers = answers.filter(|row| matches!(row.draft.sender, Sender::Rule { .. }));
        let ended = |at| Ended {
            event: said.event,
            at,
        };
        match answers.next() {
            Some(row) if row.draft.class != DraftClass::OptOutConfirmation => {} // START.
            Some(row) if row.state == OutboxState::Accepted => {
                seen.opt_out = Some(ended(row.changed_at));
                return Ok(());
            }
            _ => seen.unconfirmed = seen.unconfirmed.or(Some(ended(said.at))),
        }
    }
    Ok(())
}

/// Entries after a message, the nearest first.
async fn behind(tx: &mut Tx, tenant: TenantId, said: Spoken) -> Result<Vec<i64>> {
    let newest = newest(tx, tenant, said.conversation).await?;
    let (ids, _) = history::walk(tx, tenant, newest, ENTRIES).await?;
    let place = ids.iter().position(|id| *id == said.event.raw());
    let mut behind = place.map_or_else(Vec::new, |place| ids[..place].to_vec());
    behind.reverse();
    Ok(behind)
}

async fn newest(tx: &mut Tx, tenant: TenantId, talk: ConversationId) -> Result<i64> {
    let rows = conversations::load_all_tenants(tx, &[talk]).await?;
    let row = rows.into_iter().find(|row| row.tenant == tenant);
    Ok(row.map_or(0, |row| row.last_entry))
}

/// A person came when an agent or client took the conversation over or wrote in it.
async fn human_words(tx: &mut Tx, tenant: TenantId, seen: &mut Seen) -> Result<()> {
    for asked in readiness::last_words(tx, tenant, word::HUMAN, WORDS).await? {
        let log = conversations::owner_log(tx, tenant, asked.conversation).await?;
        let came = log.iter().find(|(at, change)| {
            let people = matches!(change.to, Owner::Agent(_) | Owner::External(_));
            // Meta's times are whole seconds.
            *at >= asked.at && people
        });
        let ended = |at| Ended {
            event: asked.event,
            at,
        };
        match came {
            Some((at, _)) => {
                seen.person = Some(ended(*at));
                return Ok(());
            }
            None => seen.nobody_came = seen.nobody_came.or(Some(ended(asked.at))),
        }
    }
    Ok(())
}

impl Seen {
    /// The latest of a fact.
    pub(super) fn fact(
        &self,
        kind: FactKind,
        account: &str,
        name: &str,
        fact: &str,
    ) -> Option<&Standing> {
        self.facts.iter().find(|row| {
            row.kind == kind as i64
                && row.account == account
                && row.name == name
                && row.fact == fact
        })
    }

    /// A template in each of its languages that Meta has.
    pub(super) fn template(&self, name: &str) -> Vec<&Template> {
        let of = |row: &&Template| row.name == name && row.gone_at.is_none();
        self.templates.iter().filter(of).collect()
    }
}

/// How long a signed webhook vouches for the callback URL.
pub(super) const DAY: Duration = Duration::from_secs(86_400);
