//! A batch's identities: what people are known by, what moves from one to another, and what is history.

use std::collections::BTreeSet;

use super::{AttachError, Attacher, People};
use crate::consent::pseudonym::restore;
use crate::domain::number::Number;
use crate::domain::{ContactId, IdentityKind, PersonRef, TenantId, Timestamp};
use crate::storage::Tx;
use crate::storage::people::{self, ContactRow, Identity, IdentityKey, Moved};

/// A person's identities as keys.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub phone: Option<IdentityKey>,
    pub bsuid: Option<IdentityKey>,
    /// Linked portfolios share it, so its scope is none of them.
    pub parent: Option<IdentityKey>,
}

impl Keys {
    pub fn of(number: &Number, who: &PersonRef) -> Self {
        let key = |scope: &str, kind, value: &str| IdentityKey {
            tenant: number.tenant,
            scope: scope.to_owned(),
            kind,
            value: value.to_owned(),
        };
        let bsuid = |id: &crate::domain::Bsuid, scope: &str, kind| key(scope, kind, id.as_str());
        Self {
            phone: who
                .phone
                .as_ref()
                .map(|phone| key("", IdentityKind::Phone, phone.digits())),
            bsuid: who
                .bsuid
                .as_ref()
                .map(|id| bsuid(id, &number.portfolio, IdentityKind::Bsuid)),
            parent: who
                .parent
                .as_ref()
                .map(|id| bsuid(id, "", IdentityKind::ParentBsuid)),
        }
    }

    pub fn all(&self) -> impl Iterator<Item = &IdentityKey> {
        [&self.phone, &self.bsuid, &self.parent]
            .into_iter()
            .flatten()
    }

    pub fn has(&self, key: &IdentityKey) -> bool {
        self.all().any(|own| own == key)
    }
}

impl People {
    /// Everything that a contact is known by today, with what this batch has found out.
    pub(super) async fn identities_of(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        contact: ContactId,
    ) -> Result<BTreeSet<IdentityKey>, AttachError> {
        let mut all = BTreeSet::new();
        let gone = self.merged.iter().filter(|(_, _, stays)| *stays == contact);
        for one in gone.map(|(_, gone, _)| *gone).chain([contact]) {
            if !self.new_contacts.contains_key(&one) {
                all.extend(people::identities_of(tx, tenant, one).await?);
            }
        }
        let is_own =
            |identity: &Identity| identity.contact == contact && identity.superseded_at.is_none();
        all.retain(|key| self.known.get(key).is_none_or(is_own));
        let here = self.known.iter().filter(|(_, identity)| is_own(identity));
        all.extend(here.map(|(key, _)| key.clone()));
        Ok(all)
    }

    /// Has the contact another BSUID than this one within its portfolio?
    pub(super) async fn has_other_bsuid(
        &self,
        tx: &mut Tx,
        contact: ContactId,
        key: &IdentityKey,
    ) -> Result<bool, AttachError> {
        let all = self.identities_of(tx, key.tenant, contact).await?;
        Ok(all.iter().any(|other| {
            other.kind == IdentityKind::Bsuid
                && other.scope == key.scope
                && other.value != key.value
        }))
    }

    /// Have both a BSUID of one portfolio, and not the same?
    pub(super) async fn have_different_bsuids(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        one: ContactId,
        other: ContactId,
    ) -> Result<bool, AttachError> {
        for key in self.identities_of(tx, tenant, one).await? {
            if key.kind == IdentityKind::Bsuid && self.has_other_bsuid(tx, other, &key).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The contact is known by this, seen at `at`. What was shown before it was superseded proves nothing about today.
    pub(super) fn learn(&mut self, key: &IdentityKey, contact: ContactId, at: Timestamp) {
        let before = self.known.get(key).copied();
        let is_history = |before: &Identity| before.superseded_at.is_some_and(|since| at <= since);
        if before == Some(Identity::of(contact)) || before.as_ref().is_some_and(is_history) {
            return;
        }
        self.known.insert(key.clone(), Identity::of(contact));
        match before {
            None => self.new_identities.push((key.clone(), contact)),
            Some(before) if before.contact != contact => {
                self.move_away(key, before.contact, contact)
            }
            Some(before) if before.superseded_at.is_some() => self.revive(key, contact),
            Some(_) => {}
        }
    }

    /// Whoever had it is not reached by it any more.
    fn move_away(&mut self, key: &IdentityKey, before: ContactId, contact: ContactId) {
        self.superseded.remove(key);
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

    fn revive(&mut self, key: &IdentityKey, contact: ContactId) {
        if self.superseded.remove(key).is_none() {
            let moved = Moved {
                from: contact,
                to: contact,
            };
            self.moved.insert(key.clone(), moved);
        }
    }

    /// The contact is known by something else since `at`.
    pub(super) fn supersede(&mut self, key: &IdentityKey, contact: ContactId, at: Timestamp) {
        let history = Identity {
            contact,
            superseded_at: Some(at),
        };
        self.known.insert(key.clone(), history);
        self.superseded.insert(key.clone(), (contact, at));
    }

    /// Nobody was known by this, and the contact was until `at`.
    pub(super) fn remember(&mut self, key: &IdentityKey, contact: ContactId, at: Timestamp) {
        self.new_identities.push((key.clone(), contact));
        self.supersede(key, contact, at);
    }

    pub(super) async fn write(
        &mut self,
        attacher: &Attacher,
        tx: &mut Tx,
        now: Timestamp,
    ) -> Result<(), AttachError> {
        let mut known_ones = Vec::new();
        // What is history already is shown nowhere.
        let shown = |(key, _): &&(IdentityKey, _)| !self.superseded.contains_key(key);
        for (key, contact) in self.new_identities.iter().filter(shown) {
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
        self.remember_erased(attacher, tx, now).await?;
        for (tenant, row) in known_ones {
            people::update_contact(tx, tenant, &row).await?;
        }
        for (key, moved) in &self.moved {
            people::move_identity(tx, key.tenant, key, *moved).await?;
        }
        for (key, (contact, at)) in &self.superseded {
            people::supersede_identity(tx, key.tenant, key, *contact, *at).await?;
        }
        for renamed in &self.renamed {
            let contact = self.is_now(renamed.contact);
            people::mark_moved(tx, renamed.tenant, contact, renamed.at).await?;
        }
        Ok(())
    }
}

impl People {
    /// Whoever shows up by something new may be somebody who was erased: what they had stopped holds.
    async fn remember_erased(
        &self,
        attacher: &Attacher,
        tx: &mut Tx,
        now: Timestamp,
    ) -> Result<(), AttachError> {
        if self.new_identities.is_empty() {
            return Ok(());
        }
        let (pseudonyms, next_id) = (attacher.directory.pseudonyms(), || attacher.ids.next(now));
        Ok(restore(tx, &pseudonyms, &self.new_identities, now, next_id).await?)
    }
}

/// Where a contact's row shows an identity of this kind.
fn column<'a>(row: &'a mut ContactRow, key: &IdentityKey) -> &'a mut String {
    match key.kind {
        IdentityKind::Phone => &mut row.phone,
        IdentityKind::Bsuid => &mut row.bsuid,
        IdentityKind::ParentBsuid => &mut row.parent_bsuid,
    }
}

/// A known contact's new phone or BSUID.
pub(super) fn learned(key: &IdentityKey, id: ContactId) -> ContactRow {
    let mut row = ContactRow::blank(key.tenant, id);
    column(&mut row, key).clone_from(&key.value);
    row
}
