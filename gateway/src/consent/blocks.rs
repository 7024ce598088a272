//! The block list of a number: people to whom nothing goes, whatever they agreed to (facts §6.10).
//!
//! Meta's list is the authority and is changed first, with no transaction open; then the mark that policy reads, with its
//! record in the ledger. What Meta did and we could not write is told by the next send (130403), or mended by asking again:
//! both changes may be asked for twice.

use std::collections::HashMap;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::record::{self, Evidence, Statement};
use super::tell::lock;
use crate::domain::number::Number;
use crate::domain::{
    Bsuid, ConsentChannel, ConsentScope, ConsentStatus, ContactId, ConversationId, IdentityKind,
    NumberId, Phone, Recipient, TenantId, Timestamp,
};
use crate::graph::GraphClient;
use crate::graph::client::blocks::{BlockPage, ListedPerson};
use crate::graph::client::call::{CallError, Failed};
use crate::storage::addresses::{Addresses, addresses_all_tenants};
use crate::storage::people::{self, IdentityKey};
use crate::storage::{
    Result as Stored, StorageError, Tx, consents, contacts, conversations, person, races,
};
use crate::tenants::{SetupContext, SetupError, credentials, numbers};

/// Of one call. Meta does it at once.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Why the list was not changed, or could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Meta(#[from] Failed),
}

impl From<StorageError> for BlockError {
    fn from(error: StorageError) -> Self {
        Self::Setup(error.into())
    }
}

impl From<CallError> for BlockError {
    fn from(error: CallError) -> Self {
        Self::Meta(error.told("ask again, that does no harm"))
    }
}

type Result<T, E = BlockError> = std::result::Result<T, E>;

/// Somebody and a number, as they stand after a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub contact: ContactId,
    pub number: NumberId,
    pub is_blocked: bool,
}

/// Somebody on Meta's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// `None`: nobody here is known by that.
    pub contact: Option<ContactId>,
    pub phone: Option<String>,
    pub bsuid: Option<String>,
}

/// Blocks somebody on a number. Meta takes only who wrote to it within 24 hours. `note`: why, for the ledger.
pub async fn block(
    setup: &SetupContext,
    graph: &GraphClient,
    whose: (TenantId, NumberId, ContactId),
    note: &str,
) -> Result<Standing> {
    let (number, token, person) = ground(setup, whose).await?;
    graph
        .block(&token, &number.phone_number_id, &person, TIMEOUT)
        .await?;
    let change = Change {
        proof: json!({"note": note}),
        ..Change::asked_for(true, &person)
    };
    Ok(keep(setup, (whose.0, &number, whose.2), change).await?)
}

/// Takes somebody off the list of a number. What they had agreed to holds again.
pub async fn unblock(
    setup: &SetupContext,
    graph: &GraphClient,
    whose: (TenantId, NumberId, ContactId),
) -> Result<Standing> {
    let (number, token, person) = ground(setup, whose).await?;
    graph
        .unblock(&token, &number.phone_number_id, &person, TIMEOUT)
        .await?;
    let change = Change::asked_for(false, &person);
    Ok(keep(setup, (whose.0, &number, whose.2), change).await?)
}

/// A page of Meta's list, and where the next one begins.
pub async fn list(
    setup: &SetupContext,
    graph: &GraphClient,
    (tenant, number): (TenantId, NumberId),
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<Listed>, Option<String>)> {
    let number = numbers::find_one(setup, tenant, number).await?;
    let mut tx = setup.db.read().await?;
    let token = credentials::token(setup, &mut tx, tenant, number.credential).await?;
    drop(tx);
    let BlockPage { people, next } = graph
        .blocked(&token, &number.phone_number_id, after, limit, TIMEOUT)
        .await?;
    let mut tx = setup.db.read().await?;
    let listed = known(&mut tx, &number, people).await?;
    let listed = listed.into_iter().map(|(person, contacts)| Listed {
        contact: contacts.first().copied(),
        phone: person.wa_id,
        bsuid: person.user_id,
    });
    Ok((listed.collect(), next))
}

/// Who of Meta's list is known here, and as whom: by phone and by user id it may be two, as long as nobody knows better.
pub(super) async fn known(
    tx: &mut Tx,
    number: &Number,
    people: Vec<ListedPerson>,
) -> Stored<Vec<(ListedPerson, Vec<ContactId>)>> {
    let keys: Vec<_> = people.iter().map(|one| keys_of(number, one)).collect();
    let found = people::find_identities_all_tenants(tx, &keys.concat()).await?;
    let found: HashMap<IdentityKey, ContactId> = found
        .into_iter()
        .map(|(key, identity)| (key, identity.contact))
        .collect();
    let contacts = |keys: Vec<IdentityKey>| {
        let contacts = keys.iter().filter_map(|key| found.get(key).copied());
        contacts.collect()
    };
    Ok(people
        .into_iter()
        .zip(keys.into_iter().map(contacts))
        .collect())
}

/// By what somebody may be known here whom Meta names so.
fn keys_of(number: &Number, person: &ListedPerson) -> Vec<IdentityKey> {
    let key = |kind, scope: &str, value: &String| IdentityKey {
        tenant: number.tenant,
        scope: scope.to_owned(),
        kind,
        value: value.clone(),
    };
    let phone = person.wa_id.as_ref();
    let phone = phone.map(|value| key(IdentityKind::Phone, "", value));
    let bsuid = person.user_id.as_ref();
    let bsuid = bsuid.map(|value| key(IdentityKind::Bsuid, &number.portfolio, value));
    phone.into_iter().chain(bsuid).collect()
}

/// The number with its token, and how Meta knows the person.
async fn ground(
    setup: &SetupContext,
    (tenant, number, contact): (TenantId, NumberId, ContactId),
) -> Result<(Number, SecretString, Recipient)> {
    let number = numbers::find_one(setup, tenant, number).await?;
    let mut tx = setup.db.read().await?;
    let unknown = || SetupError::not_found("contact", &contact.to_string());
    let found = contacts::find(&mut tx, tenant, contact).await?;
    found.ok_or_else(unknown)?;
    let token = credentials::token(setup, &mut tx, tenant, number.credential).await?;
    let rows = people::read_consent_all_tenants(&mut tx, &[contact]).await?;
    let speaks = rows.of(contact).ok_or_else(unknown)?.contact;
    let known = addresses_all_tenants(&mut tx, &[speaks]).await?;
    let person = known.get(&speaks);
    let person = person.and_then(|known| known_to_meta(known, &number.portfolio));
    let none =
        "the person is known by no phone and by no user id that this number's portfolio gave";
    let person = person.ok_or_else(|| SetupError::State(none.to_owned()))?;
    Ok((number, token, person))
}

/// Meta's block list takes no user id that linked portfolios share (facts §2.3).
fn known_to_meta(known: &Addresses, portfolio: &str) -> Option<Recipient> {
    let phone = known.phone().and_then(Phone::parse).map(Recipient::Phone);
    let own = || known.bsuid(portfolio).filter(|id| !id.contains(".ENT."));
    phone.or_else(|| own().and_then(Bsuid::parse).map(Recipient::Bsuid))
}

/// What Meta's list says of somebody by now, and how that is known.
pub(super) struct Change {
    pub(super) is_blocked: bool,
    pub(super) channel: ConsentChannel,
    /// By what Meta names the person.
    pub(super) subject: String,
    pub(super) proof: Value,
    /// When it was so, where that is not now: what the ledger has of later stands.
    pub(super) seen_at: Option<Timestamp>,
}

impl Change {
    fn asked_for(is_blocked: bool, person: &Recipient) -> Self {
        Self {
            is_blocked,
            channel: ConsentChannel::BlockList,
            subject: subject(person),
            proof: Value::Null,
            seen_at: None,
        }
    }
}

/// Writes what Meta has done: under the lock of the consent row, so that no send is claimed across it. A lost race must not
/// leave it unwritten.
pub(super) async fn keep(
    setup: &SetupContext,
    whose: (TenantId, &Number, ContactId),
    change: Change,
) -> Result<Standing, SetupError> {
    races::again(SetupError::is_lost_race, || {
        keep_once(setup, whose, &change)
    })
    .await
}

async fn keep_once(
    setup: &SetupContext,
    (tenant, number, contact): (TenantId, &Number, ContactId),
    change: &Change,
) -> Result<Standing, SetupError> {
    let now = setup.clock.now();
    let mut tx = setup.db.begin().await?;
    let row = lock(&mut tx, contact).await?;
    let speaks = row
        .ok_or_else(|| SetupError::not_found("contact", &contact.to_string()))?
        .contact;
    let standing = Standing {
        contact: speaks,
        number: number.id,
        is_blocked: change.is_blocked,
    };
    let scope = ConsentScope::Number(number.id);
    if let Some(seen_at) = change.seen_at {
        let latest = consents::latest(&mut tx, tenant, speaks, &scope).await?;
        if latest.is_some_and(|record| record.recorded_at >= seen_at) {
            return Ok(standing);
        }
    }
    let conversation = ConversationId::from_raw(setup.next_id());
    conversations::begin(&mut tx, tenant, number, speaks, conversation, now).await?;
    let mut changed = false;
    for one in person::all_of(&mut tx, tenant, contact).await? {
        changed |= match change.is_blocked {
            true => conversations::block(&mut tx, tenant, number.id, one, now).await?,
            false => conversations::unblock(&mut tx, tenant, number.id, one).await?,
        };
    }
    let (status, action) = match change.is_blocked {
        true => (ConsentStatus::Withdrawn, "contact.block"),
        false => (ConsentStatus::Given, "contact.unblock"),
    };
    if !changed && change.seen_at.is_some() {
        return Ok(standing);
    }
    // Whatever was asked for is a record, also where no mark changes: a reading of Meta's list that began before must not undo
    // it.
    let statement = Statement {
        tenant,
        contact: speaks,
        scope,
        status,
        channel: change.channel,
        at: now,
        wording: Vec::new(),
        evidence: Evidence {
            subject: change.subject.clone(),
            source: number.display_number.clone(),
            proof: change.proof.clone(),
            ..Evidence::default()
        },
        by: setup.by.label(),
    };
    record::append(&mut tx, &[statement], now, || setup.next_id()).await?;
    let became = Some(json!({"number": number.id}));
    setup
        .record(&mut tx, tenant, action, speaks, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(standing)
}

fn subject(person: &Recipient) -> String {
    match person {
        Recipient::Phone(phone) => phone.digits().to_owned(),
        Recipient::Bsuid(id) => id.as_str().to_owned(),
    }
}
