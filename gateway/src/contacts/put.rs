//! Putting one contact: found by the tenant's key, else by its phone, else made.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::attributes::Definitions;
use crate::consent::pseudonym::{Pseudonyms, restore};
use crate::domain::{ContactId, IdentityKind, Phone, TenantId, Timestamp};
use crate::storage::contacts::{self, Contact};
use crate::storage::people::{self, ContactRow, IdentityKey};
use crate::storage::{StorageError, Tx};
use crate::tenants::SetupError;

/// A contact as a client puts it. What is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewContact {
    #[serde(default)]
    pub external_id: Option<String>,
    #[serde(default)]
    pub phone: Option<String>,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub attributes: Map<String, Value>,
}

impl NewContact {
    /// What it says something about.
    pub(super) fn fields(&self) -> Vec<String> {
        let own = [
            ("external_id", self.external_id.is_some()),
            ("phone", self.phone.is_some()),
            ("name", self.name.is_some()),
        ];
        let own = own.iter().filter(|(_, said)| *said);
        let attributes = self
            .attributes
            .keys()
            .map(|name| format!("attributes.{name}"));
        own.map(|(name, _)| (*name).to_owned())
            .chain(attributes)
            .collect()
    }
}

/// Why a contact was not put.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    /// Where, and what is wrong there.
    #[error("{}", .0.iter().map(|(place, what)| format!("{place} {what}")).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<(String, String)>),
    /// It is another contact's.
    #[error("{0} is another contact's")]
    Taken(&'static str),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("the database failed")]
    Storage(#[from] StorageError),
}

impl ContactError {
    /// Somebody else put the same key or phone at this moment.
    pub(super) fn is_lost_race(&self) -> bool {
        match self {
            Self::Storage(error) => error.is_lost_race(),
            Self::Setup(error) => error.is_lost_race(),
            _ => false,
        }
    }
}

/// A contact that was put.
#[derive(Debug)]
pub struct Put {
    pub contact: Contact,
    /// It was not known.
    pub made: bool,
}

/// What of a contact is another's.
const KEY: &str = "the external id";
const KEY_MOST: usize = 200;
const NAME_MOST: usize = 200;

/// Puts a contact within the caller's transaction. When somebody else puts the same one at this moment, it fails with an
/// error that [`is_lost_race`](StorageError::is_lost_race): put again, it finds theirs.
pub async fn put(
    tx: &mut Tx,
    tenant: TenantId,
    (known, pseudonyms): (&Definitions, &Pseudonyms),
    new: &NewContact,
    now: Timestamp,
    mut next_id: impl FnMut() -> i64,
) -> Result<Put, ContactError> {
    let phone = phone(new)?;
    if new.external_id.is_none() && phone.is_none() {
        let what = "must be given, or a phone: how else would it be found?".to_owned();
        return Err(ContactError::Invalid(vec![(
            "/external_id".to_owned(),
            what,
        )]));
    }
    let by_key = match &new.external_id {
        Some(key) => contacts::lock_external(tx, tenant, key).await?,
        None => None,
    };
    let free = by_key.is_none();
    let key = phone.as_ref().map(|phone| IdentityKey {
        tenant,
        scope: String::new(),
        kind: IdentityKind::Phone,
        value: phone.digits().to_owned(),
    });
    let by_phone = match &key {
        Some(key) => people::find_identities_all_tenants(tx, std::slice::from_ref(key)).await?,
        None => Vec::new(),
    };
    // A phone whose person is known by something else now is nobody's until somebody writes from it.
    let by_phone = by_phone
        .first()
        .filter(|(_, known)| known.superseded_at.is_none())
        .map(|(_, known)| known.contact);
    let (mut contact, made) = match (by_key, by_phone) {
        (Some(contact), None) => match key {
            // It has another phone: people change numbers by their own message, never by somebody's list.
            Some(_) if !contact.phone.is_empty() => {
                return Err(ContactError::Taken(KEY));
            }
            Some(key) => {
                let contact = give_phone(tx, tenant, contact, &key, now).await?;
                let made = [(key, contact.id)];
                restore(tx, pseudonyms, &made, now, &mut next_id).await?;
                (contact, false)
            }
            None => (contact, false),
        },
        (Some(contact), Some(id)) if contact.id == id => (contact, false),
        (Some(_), Some(_)) => return Err(ContactError::Taken("the phone")),
        (None, Some(id)) => {
            let found = contacts::lock(tx, tenant, id).await?;
            let contact = found.ok_or(ContactError::Taken("the phone"))?;
            // Its own key may be this one: somebody else put the same contact since it was looked for by key.
            let has = &contact.external_id;
            let other = |key: &String| !has.is_empty() && key != has;
            if new.external_id.as_ref().is_some_and(other) {
                return Err(ContactError::Taken("the phone"));
            }
            (contact, false)
        }
        (None, None) => {
            let id = ContactId::from_raw(next_id());
            let contact = make(tx, tenant, id, key.as_ref(), now).await?;
            if let Some(key) = &key {
                // Somebody who was erased may come back: what they had stopped holds.
                let made = [(key.clone(), id)];
                restore(tx, pseudonyms, &made, now, &mut next_id).await?;
            }
            (contact, true)
        }
    };
    match apply(tx, tenant, known, new, &mut contact).await {
        Err(ContactError::Taken(KEY)) if free => Err(StorageError::Raced.into()),
        applied => applied.map(|()| Put { contact, made }),
    }
}

fn phone(new: &NewContact) -> Result<Option<Phone>, ContactError> {
    let wrong = || {
        let what = "must be a phone number with its country code".to_owned();
        ContactError::Invalid(vec![("/phone".to_owned(), what)])
    };
    let read = |text: &String| Phone::parse(text).ok_or_else(wrong);
    new.phone.as_ref().map(read).transpose()
}

async fn give_phone(
    tx: &mut Tx,
    tenant: TenantId,
    mut contact: Contact,
    key: &IdentityKey,
    now: Timestamp,
) -> Result<Contact, ContactError> {
    if people::add_identities_all_tenants(tx, &[(key.clone(), contact.id)], now).await? == 0 {
        return Err(StorageError::Raced.into());
    }
    contact.phone.clone_from(&key.value);
    let row = row(tenant, &contact);
    people::update_contact(tx, tenant, &row).await?;
    Ok(contact)
}

async fn make(
    tx: &mut Tx,
    tenant: TenantId,
    id: ContactId,
    key: Option<&IdentityKey>,
    now: Timestamp,
) -> Result<Contact, ContactError> {
    let contact = Contact {
        id,
        display_name: String::new(),
        phone: key.map_or_else(String::new, |key| key.value.clone()),
        bsuid: String::new(),
        parent_bsuid: String::new(),
        username: String::new(),
        moved_at: None,
        external_id: String::new(),
        attributes: "{}".to_owned(),
        version: 0,
        created_at: now,
    };
    people::add_contacts_all_tenants(tx, &[row(tenant, &contact)], now).await?;
    if let Some(key) = key
        && people::add_identities_all_tenants(tx, &[(key.clone(), id)], now).await? == 0
    {
        return Err(StorageError::Raced.into());
    }
    Ok(contact)
}

fn row(tenant: TenantId, contact: &Contact) -> ContactRow {
    ContactRow {
        display_name: contact.display_name.clone(),
        phone: contact.phone.clone(),
        bsuid: contact.bsuid.clone(),
        ..ContactRow::blank(tenant, contact.id)
    }
}

/// Writes what `new` says into a locked contact; everything that is wrong is told at once, and nothing written.
pub(super) async fn apply(
    tx: &mut Tx,
    tenant: TenantId,
    known: &Definitions,
    new: &NewContact,
    contact: &mut Contact,
) -> Result<(), ContactError> {
    let mut problems = Vec::new();
    let mut text = |place: &str, text: &Option<String>, most: usize| {
        let long =
            |text: &&String| text.chars().count() > most || text.chars().any(char::is_control);
        if text.as_ref().filter(long).is_some() {
            let what = format!("must have at most {most} characters on one line");
            problems.push((place.to_owned(), what));
        }
    };
    text("/external_id", &new.external_id, KEY_MOST);
    text("/name", &new.name, NAME_MOST);
    let mut has: Map<String, Value> = serde_json::from_str(&contact.attributes)
        .map_err(|_| StorageError::Corrupt(format!("attributes of {}", contact.id)))?;
    let wrong = known.put(&mut has, &new.attributes);
    let place = |name: &str| format!("/attributes/{}", name.replace('~', "~0").replace('/', "~1"));
    problems.extend(
        wrong
            .into_iter()
            .map(|(name, what)| (place(&name), what.to_owned())),
    );
    if !problems.is_empty() {
        return Err(ContactError::Invalid(problems));
    }
    if let Some(key) = &new.external_id {
        let other = contacts::lock_external(tx, tenant, key).await?;
        if other.is_some_and(|other| other.id != contact.id) {
            return Err(ContactError::Taken(KEY));
        }
        contact.external_id.clone_from(key);
    }
    if let Some(name) = &new.name {
        contact.display_name.clone_from(name);
    }
    contact.attributes = Value::Object(has).to_string();
    contacts::store(tx, tenant, contact).await?;
    contact.version += 1;
    Ok(())
}
