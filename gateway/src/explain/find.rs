//! What is meant: a message by an id of ours or Meta's, or a person seen through a number.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::{Result, Subject, wamids};
use crate::domain::number::Number;
use crate::domain::{
    ContactId, ConversationId, EventId, IdentityKind, NumberId, OutboxId, Phone, TenantId,
    Timestamp, id,
};
use crate::storage::chains::{self, ChainEvent, Named};
use crate::storage::outbox::{self, OutboxRow};
use crate::storage::people::{self, IdentityKey};
use crate::storage::refusals::{self, Refused};
use crate::storage::replays::{self, KeptTurn};
use crate::storage::{Tx, contacts, conversations, history, numbers};
use crate::tenants::SetupError;

/// What was meant.
pub(super) enum Found {
    Event(Box<ChainEvent>),
    Send(Box<OutboxRow>),
    /// What a person or client wanted to say.
    Refused(Box<Refused>),
    /// What a turn wanted to say.
    Drafted(Box<KeptTurn>, OutboxId),
    Person(Box<Seen>),
}

/// A person seen through a number.
pub(super) struct Seen {
    pub number: Number,
    pub contact: ContactId,
    /// None: neither has written to the other.
    pub conversation: Option<ConversationId>,
}

/// Longer than any id of Meta's that we know.
const LONGEST: usize = 512;
/// A turn's plugins have less than a second; the drafts get their ids after that.
const TURN_MS: i64 = 60_000;
/// Entries of one conversation that are looked through for a wamid. A guess.
const ENTRIES: usize = 1_000;

/// Finds it, with whose it is.
pub(super) async fn find(
    tx: &mut Tx,
    tenant: Option<TenantId>,
    subject: &Subject,
) -> Result<(TenantId, Found)> {
    let none = |what: &str| SetupError::not_found("message or person", what);
    match subject {
        Subject::Message(text) if text.len() > LONGEST => Err(wrong()),
        Subject::Message(text) => {
            let text = text.trim();
            message(tx, tenant, text).await?.ok_or_else(|| none(text))
        }
        Subject::Person { number, person } => {
            let seen = seen(tx, tenant, number.trim(), person.trim()).await?;
            let seen = seen.ok_or_else(|| none(person))?;
            Ok((seen.number.tenant, Found::Person(Box::new(seen))))
        }
    }
}

fn wrong() -> SetupError {
    let problem = "must be a wamid, out_…, evt_…, or a number and a person";
    SetupError::invalid("what is asked about", problem)
}

async fn message(
    tx: &mut Tx,
    tenant: Option<TenantId>,
    text: &str,
) -> Result<Option<(TenantId, Found)>> {
    if let Ok(event) = text.parse::<EventId>() {
        let owner = whose(tx, tenant, event.raw()).await?;
        return match owner {
            Some(owner) => event_of(tx, owner, event).await,
            None => Ok(None),
        };
    }
    if let Ok(send) = text.parse::<OutboxId>() {
        return match whose(tx, tenant, send.raw()).await? {
            Some(owner) => send_of(tx, owner, send).await,
            None => drafted(tx, tenant, send).await,
        };
    }
    if !text.starts_with("wamid.") {
        return Err(wrong());
    }
    let named = match tenant {
        Some(tenant) => near(tx, tenant, text).await?,
        None => None,
    };
    let named = match named {
        Some(named) => Some(named),
        None => wamids::find(tx, text).await?,
    };
    let may = |owner: TenantId| tenant.is_none_or(|tenant| tenant == owner);
    match named {
        Some(Named::Send(owner, id)) if may(owner) => send_of(tx, owner, id).await,
        Some(Named::Event(owner, id)) if may(owner) => event_of(tx, owner, id).await,
        _ => Ok(None),
    }
}

/// Whose an id is, if the asker may know.
async fn whose(tx: &mut Tx, tenant: Option<TenantId>, id: i64) -> Result<Option<TenantId>> {
    let owner = chains::tenant_of_all_tenants(tx, id).await?;
    Ok(owner.filter(|owner| tenant.is_none_or(|tenant| tenant == *owner)))
}

async fn event_of(tx: &mut Tx, tenant: TenantId, id: EventId) -> Result<Option<(TenantId, Found)>> {
    let event = chains::event(tx, tenant, id).await?;
    Ok(event.map(|event| (tenant, Found::Event(Box::new(event)))))
}

async fn send_of(tx: &mut Tx, tenant: TenantId, id: OutboxId) -> Result<Option<(TenantId, Found)>> {
    if let Some(row) = outbox::find(tx, tenant, id).await? {
        return Ok(Some((tenant, Found::Send(Box::new(row)))));
    }
    let refused = refusals::find(tx, tenant, id).await?;
    Ok(refused.map(|refused| (tenant, Found::Refused(Box::new(refused)))))
}

/// A draft that was refused in its turn.
async fn drafted(
    tx: &mut Tx,
    tenant: Option<TenantId>,
    draft: OutboxId,
) -> Result<Option<(TenantId, Found)>> {
    let made_at = id::made_at(draft.raw()).millis();
    let first = id::first_id_at(Timestamp::from_millis(made_at - TURN_MS));
    let named = chains::turn_of_draft_all_tenants(tx, draft, first).await?;
    let named = named.filter(|(owner, _)| tenant.is_none_or(|tenant| tenant == *owner));
    let Some((owner, turn)) = named else {
        return Ok(None);
    };
    let turn = replays::turn(tx, owner, turn).await?;
    Ok(turn.map(|turn| (owner, Found::Drafted(Box::new(turn), draft))))
}

/// What a wamid names in the conversations of the person whose number it seems to hold. Meta promises nothing about what a
/// wamid is made of (facts §2.1): what is not found by it is looked for elsewhere.
async fn near(tx: &mut Tx, tenant: TenantId, wamid: &str) -> Result<Option<Named>> {
    let numbers = numbers_of(tx, Some(tenant)).await?;
    for phone in phones_in(wamid) {
        let Some(contact) = by_identity(tx, tenant, "", IdentityKind::Phone, &phone).await? else {
            continue;
        };
        let pairs: Vec<(NumberId, ContactId)> =
            numbers.iter().map(|number| (number.id, contact)).collect();
        let talks = conversations::find_all_tenants(tx, &pairs).await?;
        for talk in conversations::load_all_tenants(tx, &talks).await? {
            let (ids, _) = history::walk(tx, tenant, talk.last_entry, ENTRIES).await?;
            let sent = outbox::by_ids(tx, tenant, &ids).await?;
            if let Some(row) = sent.iter().find(|row| row.wamid.as_deref() == Some(wamid)) {
                return Ok(Some(Named::Send(tenant, row.draft.id)));
            }
            let received = history::inbound(tx, tenant, &ids).await?;
            if let Some(row) = received.iter().find(|row| row.wamid == wamid) {
                return Ok(Some(Named::Event(tenant, row.id)));
            }
        }
    }
    Ok(None)
}

/// Runs of digits inside of a wamid that may be a phone number.
fn phones_in(wamid: &str) -> Vec<String> {
    let text = wamid.trim_start_matches("wamid.");
    let bytes = STANDARD
        .decode(text)
        .or_else(|_| STANDARD_NO_PAD.decode(text))
        .unwrap_or_else(|_| text.as_bytes().to_vec());
    bytes
        .split(|byte| !byte.is_ascii_digit())
        .filter(|run| (7..=20).contains(&run.len()))
        .map(|run| String::from_utf8_lossy(run).into_owned())
        .collect()
}

async fn numbers_of(tx: &mut Tx, tenant: Option<TenantId>) -> Result<Vec<Number>> {
    let all = numbers::numbers_all_tenants(tx).await?;
    let own = |number: &Number| tenant.is_none_or(|tenant| number.tenant == tenant);
    Ok(all.into_iter().filter(own).collect())
}

async fn seen(
    tx: &mut Tx,
    tenant: Option<TenantId>,
    number: &str,
    person: &str,
) -> Result<Option<Seen>> {
    let meant = |row: &Number| {
        row.phone_number_id == number
            || row.id.to_string() == number
            || same_digits(&row.display_number, number)
    };
    let all = numbers_of(tx, tenant).await?;
    let Some(number) = all.into_iter().find(meant) else {
        return Ok(None);
    };
    let Some(contact) = contact(tx, &number, person).await? else {
        return Ok(None);
    };
    let found = conversations::find_all_tenants(tx, &[(number.id, contact)]).await?;
    Ok(Some(Seen {
        conversation: found.first().copied(),
        number,
        contact,
    }))
}

fn same_digits(one: &str, other: &str) -> bool {
    match (Phone::parse(one), Phone::parse(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

async fn contact(tx: &mut Tx, number: &Number, person: &str) -> Result<Option<ContactId>> {
    let tenant = number.tenant;
    if let Ok(id) = person.parse::<ContactId>() {
        let row = contacts::find(tx, tenant, id).await?;
        return Ok(row.map(|row| row.id));
    }
    if let Some(phone) = Phone::parse(person) {
        let digits = phone.digits();
        return by_identity(tx, tenant, "", IdentityKind::Phone, digits).await;
    }
    let own = by_identity(tx, tenant, &number.portfolio, IdentityKind::Bsuid, person).await?;
    match own {
        Some(contact) => Ok(Some(contact)),
        None => by_identity(tx, tenant, "", IdentityKind::ParentBsuid, person).await,
    }
}

async fn by_identity(
    tx: &mut Tx,
    tenant: TenantId,
    scope: &str,
    kind: IdentityKind,
    value: &str,
) -> Result<Option<ContactId>> {
    let key = IdentityKey {
        tenant,
        scope: scope.to_owned(),
        kind,
        value: value.to_owned(),
    };
    let found = people::find_identities_all_tenants(tx, &[key]).await?;
    Ok(found.first().map(|(_, identity)| identity.contact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wamid_may_hold_a_phone_number_and_may_not() {
        let inside = b"\x1c\x18\x0b16505551234\x15\x02\x00\x11\x18\x12ABCDEF";
        let wamid = format!("wamid.{}", STANDARD.encode(inside));
        assert_eq!(phones_in(&wamid), ["16505551234"]);
        assert_eq!(phones_in("wamid.test-447700900123-1"), ["447700900123"]);
        assert!(phones_in("wamid.").is_empty());
    }
}
