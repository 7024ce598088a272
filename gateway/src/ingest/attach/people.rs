//! Who wrote: from the phone and BSUID of a webhook to a contact (`whatsapp-cloud-api.md` §2.3, design.md §3).

use std::collections::{BTreeSet, HashMap};

use super::split::Split;
use super::{AttachError, Attacher};
use crate::domain::number::Number;
use crate::domain::{ContactId, IdentityKind, PersonRef, TenantId, Timestamp};
use crate::storage::Tx;
use crate::storage::people::{self, ContactRow, IdentityKey};

/// Somebody whom a webhook names, and to which number.
pub(super) struct Author<'a> {
    number: &'a Number,
    who: &'a PersonRef,
    profile_name: Option<&'a str>,
}

/// The authors of a batch: of its messages, and then of its choices about marketing.
pub(super) fn authors(split: &Split) -> Vec<Author<'_>> {
    let messages = split.messages.iter().map(|message| Author {
        number: &message.entry.number,
        who: &message.from,
        profile_name: message.profile_name.as_deref(),
    });
    let choices = split.preferences().map(|(entry, preference, _)| Author {
        number: &entry.number,
        who: &preference.from,
        profile_name: None,
    });
    messages.chain(choices).collect()
}

/// The contacts of a batch, found or made.
struct People {
    known: HashMap<IdentityKey, ContactId>,
    /// Identities that somebody else had until now.
    moved: HashMap<IdentityKey, ContactId>,
    new_identities: Vec<(IdentityKey, ContactId)>,
    new_contacts: Vec<ContactRow>,
}

/// A person's identities as keys: the phone's and the BSUID's.
struct Keys {
    phone: Option<IdentityKey>,
    bsuid: Option<IdentityKey>,
}

impl Keys {
    fn of(tenant: TenantId, portfolio: &str, who: &PersonRef) -> Self {
        let key = |scope: &str, kind, value: &str| IdentityKey {
            tenant,
            scope: scope.to_owned(),
            kind,
            value: value.to_owned(),
        };
        Self {
            phone: who
                .phone
                .as_ref()
                .map(|phone| key("", IdentityKind::Phone, phone.digits())),
            bsuid: who
                .bsuid
                .as_ref()
                .map(|id| key(portfolio, IdentityKind::Bsuid, id.as_str())),
        }
    }
}

/// Finds or makes the contact of every author, in order, and writes what is new.
pub(super) async fn resolve(
    attacher: &Attacher,
    tx: &mut Tx,
    authors: &[Author<'_>],
    now: Timestamp,
) -> Result<Vec<ContactId>, AttachError> {
    let keys: Vec<Keys> = authors
        .iter()
        .map(|author| Keys::of(author.number.tenant, &author.number.portfolio, author.who))
        .collect();
    let wanted: BTreeSet<IdentityKey> = keys
        .iter()
        .flat_map(|keys| [keys.phone.clone(), keys.bsuid.clone()])
        .flatten()
        .collect();
    let wanted: Vec<IdentityKey> = wanted.into_iter().collect();
    let known = people::find_identities_all_tenants(tx, &wanted)
        .await?
        .into_iter()
        .collect();
    let mut people = People {
        known,
        moved: HashMap::new(),
        new_identities: Vec::new(),
        new_contacts: Vec::new(),
    };
    let mut contacts = Vec::with_capacity(authors.len());
    for (author, keys) in authors.iter().zip(&keys) {
        let id = || ContactId::from_raw(attacher.ids.next(now));
        contacts.push(people.contact(tx, author, keys, id).await?);
    }
    people.write(tx, now).await?;
    Ok(contacts)
}

impl People {
    async fn contact(
        &mut self,
        tx: &mut Tx,
        author: &Author<'_>,
        keys: &Keys,
        id: impl FnOnce() -> ContactId,
    ) -> Result<ContactId, AttachError> {
        let tenant = author.number.tenant;
        let by =
            |key: &Option<IdentityKey>| key.as_ref().and_then(|key| self.known.get(key).copied());
        let contact = match (by(&keys.phone), by(&keys.bsuid)) {
            (Some(one), Some(other)) if one == other => return Ok(one),
            (Some(of_phone), Some(of_bsuid)) => {
                self.join(tx, tenant, author, of_phone, of_bsuid).await?;
                of_bsuid
            }
            (None, Some(contact)) => contact,
            (Some(contact), None) => match &keys.bsuid {
                // A second BSUID within the portfolio is a second person: the phone goes to it (never the reverse).
                Some(key) if self.has_other_bsuid(tx, tenant, contact, key).await? => {
                    self.add(author, id())
                }
                _ => contact,
            },
            (None, None) => self.add(author, id()),
        };
        self.learn(keys.phone.as_ref(), contact);
        self.learn(keys.bsuid.as_ref(), contact);
        Ok(contact)
    }

    /// A webhook shows a phone and a BSUID that we took for two people. Two BSUIDs never merge through a phone.
    async fn join(
        &mut self,
        tx: &mut Tx,
        tenant: TenantId,
        author: &Author<'_>,
        of_phone: ContactId,
        of_bsuid: ContactId,
    ) -> Result<(), AttachError> {
        let scope = &author.number.portfolio;
        let fresh = self
            .new_contacts
            .iter()
            .any(|row| row.id == of_phone || row.id == of_bsuid);
        if !fresh
            && people::bsuid_of(tx, tenant, of_phone, scope)
                .await?
                .is_none()
        {
            people::merge_contact(tx, tenant, of_phone, of_bsuid).await?;
            for contact in self
                .known
                .values_mut()
                .filter(|contact| **contact == of_phone)
            {
                *contact = of_bsuid;
            }
        }
        Ok(())
    }

    async fn has_other_bsuid(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        contact: ContactId,
        key: &IdentityKey,
    ) -> Result<bool, AttachError> {
        let here = self.known.iter().any(|(other, of)| {
            *of == contact
                && other.kind == IdentityKind::Bsuid
                && other.scope == key.scope
                && other.value != key.value
        });
        Ok(here
            || people::bsuid_of(tx, tenant, contact, &key.scope)
                .await?
                .is_some())
    }

    fn add(&mut self, author: &Author<'_>, id: ContactId) -> ContactId {
        let text = |text: Option<&str>| text.unwrap_or("").to_owned();
        self.new_contacts.push(ContactRow {
            id,
            tenant: author.number.tenant,
            display_name: text(author.profile_name),
            phone: text(author.who.phone.as_ref().map(|phone| phone.digits())),
            bsuid: text(author.who.bsuid.as_ref().map(|bsuid| bsuid.as_str())),
        });
        id
    }

    fn learn(&mut self, key: Option<&IdentityKey>, contact: ContactId) {
        let Some(key) = key else { return };
        match self.known.insert(key.clone(), contact) {
            None => self.new_identities.push((key.clone(), contact)),
            Some(before) if before != contact => {
                self.moved.insert(key.clone(), contact);
            }
            Some(_) => {}
        }
    }

    async fn write(&mut self, tx: &mut Tx, now: Timestamp) -> Result<(), AttachError> {
        people::add_contacts_all_tenants(tx, &self.new_contacts, now).await?;
        self.new_identities.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let added = people::add_identities_all_tenants(tx, &self.new_identities, now).await?;
        if added < self.new_identities.len() {
            return Err(AttachError::Race);
        }
        for (key, contact) in &self.new_identities {
            if self.new_contacts.iter().all(|row| row.id != *contact) {
                people::update_contact(tx, key.tenant, &learned(key, *contact)).await?;
            }
        }
        let mut moved: Vec<(IdentityKey, ContactId)> = self.moved.drain().collect();
        moved.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        people::move_identities_all_tenants(tx, &moved).await?;
        Ok(())
    }
}

/// A known contact's new phone or BSUID.
fn learned(key: &IdentityKey, id: ContactId) -> ContactRow {
    let of = |kind| {
        if key.kind == kind {
            key.value.clone()
        } else {
            String::new()
        }
    };
    ContactRow {
        id,
        tenant: key.tenant,
        display_name: String::new(),
        phone: of(IdentityKind::Phone),
        bsuid: of(IdentityKind::Bsuid),
    }
}
