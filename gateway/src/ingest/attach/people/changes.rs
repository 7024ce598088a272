//! What Meta says of people: another number, another user id (`whatsapp-cloud-api.md` §2.3). It comes by two ways, in
//! any order, sometimes after the person has written from the new number.
//!
//! A contact stays who it is: its history, owner and opt-outs go with it. What it was known by is history from then on:
//! it still leads to the contact, for what comes late, but nobody is written to by it, and a phone that is shown later
//! is somebody else's. Opt-ins do not go with it (design.md §5), and its windows are closed until it writes again.

use std::collections::BTreeSet;

use super::identities::{Keys, learned};
use super::{AttachError, Change, People};
use crate::domain::{ContactId, IdentityKind, NumberId, TenantId, Timestamp};
use crate::policy::ConsentState;
use crate::storage::Tx;
use crate::storage::conversations;
use crate::storage::people::{self, Consent, ContactRow, IdentityKey};

/// Somebody who is known by something else since.
pub(super) struct Renamed {
    pub tenant: TenantId,
    pub contact: ContactId,
    pub at: Timestamp,
    /// It is the contact that we knew; else one that had written from the new number before we heard of it, whose own
    /// window and words stand.
    pub stayed: bool,
}

impl People {
    /// Answers whom it was about. `numbers`: of the tenant.
    pub(super) async fn change(
        &mut self,
        tx: &mut Tx,
        change: &Change,
        numbers: &[NumberId],
        id: impl FnOnce() -> ContactId,
    ) -> Result<ContactId, AttachError> {
        let number = &change.entry.number;
        let (before, after) = (&change.change.before, &change.change.after);
        let (before, after) = (Keys::of(number, before), Keys::of(number, after));
        let find = |keys: &Keys| {
            let by = [&keys.bsuid, &keys.phone, &keys.parent];
            by.into_iter()
                .find_map(|key| self.find(key.as_ref(), change.at))
        };
        let Some(contact) = find(&before) else {
            let known = find(&after);
            return self.stranger(tx, change, &before, &after, known, id).await;
        };
        let own = self.identities_of(tx, number.tenant, contact).await?;
        let other = find(&after).filter(|other| *other != contact);
        let was_since = |key: &IdentityKey| {
            let known = self.known.get(key).filter(|known| known.contact == contact);
            known.is_some_and(|known| known.superseded_at.is_some_and(|since| change.at <= since))
        };
        if other.is_none() && after.all().all(|key| own.contains(key) || was_since(key)) {
            // The same came by the other way before, or what comes after it did.
            return Ok(contact);
        }
        let since = other.and_then(|other| self.left_since(&after, other, change.at));
        if let (Some(other), Some(since)) = (other, since) {
            self.remember_all(&after, other, since);
        }
        let mut at = change.at;
        let is_now = match (other, since) {
            (None, _) => contact,
            // Only what a later change has left, which came before this one.
            (Some(other), Some(since)) if !talks(tx, numbers, other).await? => {
                at = since;
                self.catch_up(tx, &after, contact, other).await?;
                contact
            }
            (Some(other), _) => self.meet(tx, &after, contact, other, change).await?,
        };
        let kept_phone = after
            .phone
            .as_ref()
            .is_some_and(|phone| own.contains(phone));
        let gone = self.supersede_all(change, &after, &own, is_now);
        for key in after.all() {
            self.learn(key, is_now, change.at);
        }
        if gone && !kept_phone {
            self.renamed.push(Renamed {
                tenant: number.tenant,
                contact: is_now,
                at,
                stayed: is_now == contact,
            });
        }
        Ok(is_now)
    }

    /// A change of somebody whom we do not know by what they were: a change before it may still be on its way, and
    /// leads here by then. Whoever is known by what they are now was the other as well.
    async fn stranger(
        &mut self,
        tx: &mut Tx,
        change: &Change,
        before: &Keys,
        after: &Keys,
        known: Option<ContactId>,
        id: impl FnOnce() -> ContactId,
    ) -> Result<ContactId, AttachError> {
        let since = known.and_then(|known| self.left_since(after, known, change.at));
        // Found by the phone alone: it goes to whoever has the new user id.
        let somebody_else = match (known, &after.bsuid) {
            (Some(known), Some(key)) if since.is_none() => {
                self.has_other_bsuid(tx, known, key).await?
            }
            _ => false,
        };
        let contact = known.filter(|_| !somebody_else).unwrap_or_else(|| {
            let row = ContactRow::blank(change.entry.number.tenant, id());
            let id = row.id;
            self.new_contacts.insert(id, row);
            id
        });
        for key in before.all().filter(|key| !after.has(key)) {
            self.remember_one(key, contact, change.at);
        }
        match since {
            Some(since) => self.remember_all(after, contact, since),
            None => after
                .all()
                .for_each(|key| self.learn(key, contact, change.at)),
        }
        Ok(contact)
    }

    /// The contact was known by what is not known yet of these, until `at`.
    fn remember_all(&mut self, keys: &Keys, contact: ContactId, at: Timestamp) {
        for key in keys.all() {
            self.remember_one(key, contact, at);
        }
    }

    fn remember_one(&mut self, key: &IdentityKey, contact: ContactId, at: Timestamp) {
        if !self.known.contains_key(key) {
            self.remember(key, contact, at);
        }
    }

    /// Since when the contact is known by something else than these, if that is later than `at`.
    fn left_since(&self, keys: &Keys, contact: ContactId, at: Timestamp) -> Option<Timestamp> {
        let known = keys.all().filter_map(|key| self.known.get(key));
        let own = known.filter(|identity| identity.contact == contact);
        let since = own.filter_map(|identity| identity.superseded_at).max();
        since.filter(|since| at <= *since)
    }

    /// `contact` is known by what `left` says of it.
    async fn catch_up(
        &mut self,
        tx: &mut Tx,
        after: &Keys,
        contact: ContactId,
        left: ContactId,
    ) -> Result<(), AttachError> {
        let Some(tenant) = after.all().next().map(|key| key.tenant) else {
            return Ok(());
        };
        let shown = self.identities_of(tx, tenant, left).await?;
        self.unite(tx, tenant, after, left, contact).await?;
        for key in &shown {
            people::update_contact(tx, tenant, &learned(key, contact)).await?;
        }
        Ok(())
    }

    /// Both are known, as two. Where Meta names both user ids it is one person. A new phone alone does not say so: we may
    /// know it from whoever had it before. Then it moves, and the opt-outs go to both: nobody who stopped us is written
    /// to because of a doubt.
    async fn meet(
        &mut self,
        tx: &mut Tx,
        after: &Keys,
        contact: ContactId,
        other: ContactId,
        change: &Change,
    ) -> Result<ContactId, AttachError> {
        let tenant = change.entry.number.tenant;
        let by_id = [&after.bsuid, &after.parent];
        let named = by_id.into_iter().flatten().any(|key| {
            let known = self.known.get(key);
            known.is_some_and(|identity| identity.contact == other)
        });
        // Who appeared in this very batch, and is known by the phone alone, has just got it.
        let fresh = self.new_contacts.contains_key(&other);
        if fresh || named {
            let (gone, stays) = if fresh {
                (other, contact)
            } else {
                (contact, other)
            };
            self.unite(tx, tenant, after, gone, stays).await?;
            return Ok(stays);
        }
        self.opt_outs.push((tenant, contact, other));
        Ok(contact)
    }

    /// Answers whether anything of the person's is history now.
    fn supersede_all(
        &mut self,
        change: &Change,
        after: &Keys,
        own: &BTreeSet<IdentityKey>,
        contact: ContactId,
    ) -> bool {
        let portfolio = &change.entry.number.portfolio;
        // A user id goes with its phone and a phone with its user id (§2.3): whichever Meta leaves out is not to be
        // relied on, until the person shows it again. Other portfolios tell of theirs.
        let goes = |key: &IdentityKey| match key.kind {
            IdentityKind::Phone => true,
            IdentityKind::Bsuid => key.scope == *portfolio,
            IdentityKind::ParentBsuid => after.parent.is_some(),
        };
        let gone: Vec<&IdentityKey> = own
            .iter()
            .filter(|key| goes(key) && !after.has(key))
            .collect();
        for key in &gone {
            self.supersede(key, contact, change.at);
        }
        !gone.is_empty()
    }
}

/// Has somebody a conversation with one of these numbers? Then they are more than what a notice has left.
async fn talks(tx: &mut Tx, numbers: &[NumberId], contact: ContactId) -> Result<bool, AttachError> {
    let pairs: Vec<_> = numbers.iter().map(|number| (*number, contact)).collect();
    let found = conversations::find_all_tenants(tx, &pairs).await?;
    Ok(!found.is_empty())
}

/// Writes a contact's consent, made from its own and another's. Both rows are locked already. Answers it before and after.
pub(super) async fn set_consent(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
    next: impl FnOnce(&ConsentState, &ConsentState) -> ConsentState,
    other: ContactId,
) -> Result<(ConsentState, ConsentState), AttachError> {
    let rows = people::lock_consent_all_tenants(tx, &[contact, other]).await?;
    let (Some(own), Some(other)) = (rows.of(contact), rows.of(other)) else {
        return Err(AttachError::Race);
    };
    let state = next(&own.state, &other.state);
    if state != own.state && !people::set_consent(tx, tenant, &Consent { state, ..*own }).await? {
        return Err(AttachError::Race);
    }
    Ok((own.state, state))
}
