//! Who wrote: from the phone and BSUID of a webhook to a contact (`whatsapp-cloud-api.md` §2.3, design.md §3).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::split::Split;
use super::{AttachError, Attacher};
use crate::domain::number::Number;
use crate::domain::{ContactId, IdentityKind, PersonRef, TenantId, Timestamp};
use crate::storage::Tx;
use crate::storage::people::{self, ContactRow, IdentityKey, Moved};

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
    moved: BTreeMap<IdentityKey, Moved>,
    /// In the order in which they were shown.
    new_identities: Vec<(IdentityKey, ContactId)>,
    new_contacts: BTreeMap<ContactId, ContactRow>,
    /// Who turned out to be whom.
    same: HashMap<ContactId, ContactId>,
    /// Those of them that other batches know, in order: the tenant, who goes, who stays.
    merged: Vec<(TenantId, ContactId, ContactId)>,
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

/// Finds or makes the contact of every author, in order, and writes what is new. `others` are people whose consent the
/// caller locks later in this transaction: where consent is locked here, theirs is too.
pub(super) async fn resolve(
    attacher: &Attacher,
    tx: &mut Tx,
    authors: &[Author<'_>],
    others: &[ContactId],
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
        moved: BTreeMap::new(),
        new_identities: Vec::new(),
        new_contacts: BTreeMap::new(),
        same: HashMap::new(),
        merged: Vec::new(),
    };
    let mut contacts = Vec::with_capacity(authors.len());
    for (author, keys) in authors.iter().zip(&keys) {
        let id = || ContactId::from_raw(attacher.ids.next(now));
        contacts.push(people.contact(tx, author, keys, id).await?);
    }
    people.write(tx, now).await?;
    people.merge(tx, others).await?;
    for contact in &mut contacts {
        *contact = people.is_now(*contact);
    }
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
                self.join(tx, tenant, keys, of_phone, of_bsuid).await?
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

    /// A webhook shows a phone and a BSUID that we took for two people. Two BSUIDs never merge through a phone: then it
    /// moves. Answers whose message it is.
    async fn join(
        &mut self,
        tx: &mut Tx,
        tenant: TenantId,
        keys: &Keys,
        of_phone: ContactId,
        of_bsuid: ContactId,
    ) -> Result<ContactId, AttachError> {
        if let Some(bsuid) = &keys.bsuid
            && self.has_other_bsuid(tx, tenant, of_phone, bsuid).await?
        {
            return Ok(of_bsuid);
        }
        // Whoever was made in this batch goes without a trace.
        let (gone, stays) = match self.new_contacts.contains_key(&of_bsuid) {
            true => (of_bsuid, of_phone),
            false => (of_phone, of_bsuid),
        };
        if self.new_contacts.remove(&gone).is_none() {
            self.merged.push((tenant, gone, stays));
            for key in [&keys.phone, &keys.bsuid].into_iter().flatten() {
                people::update_contact(tx, tenant, &learned(key, stays)).await?;
            }
        }
        let identities = self.new_identities.iter_mut().map(|(_, contact)| contact);
        let moved = self.moved.values_mut().map(|moved| &mut moved.to);
        for contact in identities.chain(moved).chain(self.known.values_mut()) {
            if *contact == gone {
                *contact = stays;
            }
        }
        self.same.insert(gone, stays);
        Ok(stays)
    }

    fn is_now(&self, mut contact: ContactId) -> ContactId {
        while let Some(other) = self.same.get(&contact) {
            contact = *other;
        }
        contact
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
        let row = ContactRow {
            id,
            tenant: author.number.tenant,
            display_name: text(author.profile_name),
            phone: text(author.who.phone.as_ref().map(|phone| phone.digits())),
            bsuid: text(author.who.bsuid.as_ref().map(|bsuid| bsuid.as_str())),
        };
        self.new_contacts.insert(id, row);
        id
    }

    fn learn(&mut self, key: Option<&IdentityKey>, contact: ContactId) {
        let Some(key) = key else { return };
        match self.known.insert(key.clone(), contact) {
            None => self.new_identities.push((key.clone(), contact)),
            Some(before) if before != contact => self.move_away(key, before, contact),
            Some(_) => {}
        }
    }

    /// Whoever had it is not reached by it any more.
    fn move_away(&mut self, key: &IdentityKey, before: ContactId, contact: ContactId) {
        if let Some(row) = self.new_contacts.get_mut(&before) {
            column(row, key).clear();
        }
        match self.new_identities.iter_mut().find(|(new, _)| new == key) {
            Some((_, whose)) => *whose = contact,
            None => {
                let moved = Moved {
                    from: before,
                    to: contact,
                };
                self.moved.entry(key.clone()).or_insert(moved).to = contact;
            }
        }
    }

    async fn write(&mut self, tx: &mut Tx, now: Timestamp) -> Result<(), AttachError> {
        let mut known_ones = Vec::new();
        for (key, contact) in &self.new_identities {
            match self.new_contacts.get_mut(contact) {
                Some(row) => column(row, key).clone_from(&key.value),
                None => known_ones.push((key.tenant, learned(key, *contact))),
            }
        }
        let new_contacts: Vec<ContactRow> = self.new_contacts.values().cloned().collect();
        people::add_contacts_all_tenants(tx, &new_contacts, now).await?;
        self.new_identities.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let added = people::add_identities_all_tenants(tx, &self.new_identities, now).await?;
        if added < self.new_identities.len() {
            return Err(AttachError::Race);
        }
        for (tenant, row) in known_ones {
            people::update_contact(tx, tenant, &row).await?;
        }
        for (key, moved) in &self.moved {
            people::move_identity(tx, key.tenant, key, *moved).await?;
        }
        Ok(())
    }

    /// Merges what turned out to be one. All consent rows first, in one ordered go: one pair after the other would lock
    /// them in the order of the messages, against that of claims.
    async fn merge(&self, tx: &mut Tx, others: &[ContactId]) -> Result<(), AttachError> {
        if self.merged.is_empty() {
            return Ok(());
        }
        let gone = self.merged.iter().map(|(_, gone, _)| gone);
        let all: Vec<ContactId> = self
            .known
            .values()
            .chain(gone)
            .chain(others)
            .copied()
            .collect();
        people::lock_consent_all_tenants(tx, &all).await?;
        for &(tenant, gone, stays) in &self.merged {
            if !people::merge_contact(tx, tenant, gone, stays).await? {
                return Err(AttachError::Race);
            }
        }
        Ok(())
    }
}

/// Where a contact's row shows an identity of this kind.
fn column<'a>(row: &'a mut ContactRow, key: &IdentityKey) -> &'a mut String {
    match key.kind {
        IdentityKind::Phone => &mut row.phone,
        IdentityKind::Bsuid => &mut row.bsuid,
    }
}

/// A known contact's new phone or BSUID.
fn learned(key: &IdentityKey, id: ContactId) -> ContactRow {
    let mut row = ContactRow {
        id,
        tenant: key.tenant,
        display_name: String::new(),
        phone: String::new(),
        bsuid: String::new(),
    };
    column(&mut row, key).clone_from(&key.value);
    row
}
