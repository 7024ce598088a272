//! Who wrote: from the phone and BSUIDs of a webhook to a contact (`whatsapp-cloud-api.md` §2.3, design.md §3).

mod changes;
mod identities;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::json;

use self::changes::Renamed;
use self::identities::Keys;
use super::split::{Change, Split};
use super::{AttachError, Attacher};
use crate::consent::{self, Evidence};
use crate::domain::number::Number;
use crate::domain::{
    ConsentChannel, ContactId, IdentityKind, NumberId, PersonRef, TenantId, Timestamp,
};
use crate::policy::ConsentState;
use crate::storage::Tx;
use crate::storage::people::{self, ContactRow, Identity, IdentityKey, Moved};

/// Somebody whom a webhook names, to which number, and when.
pub(super) struct Author<'a> {
    number: &'a Number,
    who: &'a PersonRef,
    profile_name: Option<&'a str>,
    username: Option<&'a str>,
    at: Timestamp,
}

/// The authors of a batch: of its messages, and then of its choices about marketing.
pub(super) fn authors(split: &Split) -> Vec<Author<'_>> {
    let messages = split.messages.iter().map(|message| Author {
        number: &message.entry.number,
        who: &message.from,
        profile_name: message.profile_name.as_deref(),
        username: message.username.as_deref(),
        at: message.at,
    });
    let choices = split.preferences().map(|(entry, preference, at)| Author {
        number: &entry.number,
        who: &preference.from,
        profile_name: None,
        username: None,
        at,
    });
    messages.chain(choices).collect()
}

/// The contacts of a batch.
#[derive(Default)]
pub(super) struct Resolved {
    /// Of every author, in order.
    pub authors: Vec<ContactId>,
    /// Of every change of identity, in order.
    pub changed: Vec<ContactId>,
    /// Who has another number since, and so no open window until they write again (§2.3).
    pub closed: Vec<(TenantId, ContactId, Timestamp)>,
}

/// The contacts of a batch, found or made.
#[derive(Default)]
struct People {
    known: HashMap<IdentityKey, Identity>,
    /// Identities that somebody else had until now, or that were superseded and are shown again.
    moved: BTreeMap<IdentityKey, Moved>,
    /// Identities that are history since: whose, and since when.
    superseded: BTreeMap<IdentityKey, (ContactId, Timestamp)>,
    /// In the order in which they were shown.
    new_identities: Vec<(IdentityKey, ContactId)>,
    new_contacts: BTreeMap<ContactId, ContactRow>,
    /// Who turned out to be whom.
    same: HashMap<ContactId, ContactId>,
    /// Those of them that other batches know, in order: the tenant, who goes, who stays.
    merged: Vec<(TenantId, ContactId, ContactId)>,
    renamed: Vec<Renamed>,
    /// Whose opt-outs are another's too: that one may be the same person, and may be a stranger.
    opt_outs: Vec<(TenantId, ContactId, ContactId)>,
}

/// Finds or makes the contact of every author, in order, obeys what Meta says of people, and writes what is new.
/// `others` are people whose consent the caller locks later in this transaction: where consent is locked here, theirs
/// is too.
pub(super) async fn resolve(
    attacher: &Attacher,
    tx: &mut Tx,
    authors: &[Author<'_>],
    changes: &[Change],
    others: &[ContactId],
    now: Timestamp,
) -> Result<Resolved, AttachError> {
    let keys: Vec<Keys> = authors
        .iter()
        .map(|author| Keys::of(author.number, author.who))
        .collect();
    let of_changes = changes.iter().flat_map(|change| {
        let of = |who| Keys::of(&change.entry.number, who);
        [of(&change.change.before), of(&change.change.after)]
    });
    let of_changes: Vec<Keys> = of_changes.collect();
    let wanted: BTreeSet<IdentityKey> = keys
        .iter()
        .chain(&of_changes)
        .flat_map(Keys::all)
        .cloned()
        .collect();
    let wanted: Vec<IdentityKey> = wanted.into_iter().collect();
    let known = people::find_identities_all_tenants(tx, &wanted).await?;
    let mut people = People {
        known: known.into_iter().collect(),
        ..People::default()
    };
    let mut resolved = Resolved::default();
    for (author, keys) in authors.iter().zip(&keys) {
        let id = || ContactId::from_raw(attacher.ids.next(now));
        let contact = people.contact(tx, author, keys, id).await?;
        resolved.authors.push(contact);
    }
    let snapshot = attacher.directory.snapshot();
    for change in changes {
        let tenant = change.entry.number.tenant;
        let numbers = snapshot.numbers().map(|entry| &entry.number);
        let own = numbers.filter(|number| number.tenant == tenant);
        let numbers: Vec<NumberId> = own.map(|number| number.id).collect();
        let id = || ContactId::from_raw(attacher.ids.next(now));
        let changed = people.change(tx, change, &numbers, id).await?;
        resolved.changed.push(changed);
    }
    people.write(attacher, tx, now).await?;
    people.settle_consent(attacher, tx, others, now).await?;
    for contact in resolved
        .authors
        .iter_mut()
        .chain(resolved.changed.iter_mut())
    {
        *contact = people.is_now(*contact);
    }
    let stayed = people.renamed.iter().filter(|renamed| renamed.stayed);
    resolved.closed = stayed
        .map(|one| (one.tenant, people.is_now(one.contact), one.at))
        .collect();
    Ok(resolved)
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
        let mut contact = self.find(keys.bsuid.as_ref(), author.at);
        for weak in [&keys.phone, &keys.parent] {
            let Some(found) = self.find(weak.as_ref(), author.at) else {
                continue;
            };
            contact = match contact {
                Some(contact) if contact == found => Some(contact),
                Some(contact) => Some(self.join(tx, tenant, keys, found, contact).await?),
                // A second BSUID within the portfolio is a second person: the phone goes to it (never the reverse).
                None => match &keys.bsuid {
                    Some(key) if self.has_other_bsuid(tx, found, key).await? => None,
                    _ => Some(found),
                },
            };
        }
        let contact = contact.unwrap_or_else(|| self.add(author, id()));
        for key in keys.all() {
            self.learn(key, contact, author.at);
        }
        Ok(contact)
    }

    /// Whose an identity was at that time. A phone that was given up before it is nobody's whom we know.
    fn find(&self, key: Option<&IdentityKey>, at: Timestamp) -> Option<ContactId> {
        let key = key?;
        let identity = self.known.get(key)?;
        let given_up = identity.superseded_at.is_some_and(|since| at > since);
        (!(given_up && key.kind == IdentityKind::Phone)).then_some(identity.contact)
    }

    /// A webhook shows a phone, or a parent BSUID, and somebody whom we took for another person. Two BSUIDs never merge
    /// through a phone: then it moves. Answers whose message it is.
    async fn join(
        &mut self,
        tx: &mut Tx,
        tenant: TenantId,
        keys: &Keys,
        of_weak: ContactId,
        contact: ContactId,
    ) -> Result<ContactId, AttachError> {
        let others = match &keys.bsuid {
            Some(key) => self.has_other_bsuid(tx, of_weak, key).await?,
            None => {
                self.have_different_bsuids(tx, tenant, of_weak, contact)
                    .await?
            }
        };
        if others {
            return Ok(contact);
        }
        // Whoever was made in this batch goes without a trace.
        let (gone, stays) = match self.new_contacts.contains_key(&contact) {
            true => (contact, of_weak),
            false => (of_weak, contact),
        };
        self.unite(tx, tenant, keys, gone, stays).await?;
        Ok(stays)
    }

    /// `gone` is `stays` from now on.
    async fn unite(
        &mut self,
        tx: &mut Tx,
        tenant: TenantId,
        keys: &Keys,
        gone: ContactId,
        stays: ContactId,
    ) -> Result<(), AttachError> {
        if self.new_contacts.remove(&gone).is_none() {
            self.merged.push((tenant, gone, stays));
            let is_history = |key: &&IdentityKey| {
                let known = self.known.get(*key);
                known.is_some_and(|identity| identity.superseded_at.is_some())
            };
            for key in keys.all().filter(|key| !is_history(key)) {
                people::update_contact(tx, tenant, &identities::learned(key, stays)).await?;
            }
        }
        let identities = self.new_identities.iter_mut().map(|(_, contact)| contact);
        let moved = self.moved.values_mut().map(|moved| &mut moved.to);
        let known = self.known.values_mut().map(|known| &mut known.contact);
        let old = self.superseded.values_mut().map(|(contact, _)| contact);
        for contact in identities.chain(moved).chain(known).chain(old) {
            if *contact == gone {
                *contact = stays;
            }
        }
        self.same.insert(gone, stays);
        Ok(())
    }

    fn is_now(&self, mut contact: ContactId) -> ContactId {
        while let Some(other) = self.same.get(&contact) {
            contact = *other;
        }
        contact
    }

    fn add(&mut self, author: &Author<'_>, id: ContactId) -> ContactId {
        let row = ContactRow {
            display_name: author.profile_name.unwrap_or("").to_owned(),
            username: author.username.unwrap_or("").to_owned(),
            ..ContactRow::blank(author.number.tenant, id)
        };
        self.new_contacts.insert(id, row);
        id
    }

    /// Writes what becomes of consent. All rows are locked first, in one ordered go: one pair after the other would lock
    /// them in the order of the messages, against that of claims.
    async fn settle_consent(
        &self,
        attacher: &Attacher,
        tx: &mut Tx,
        others: &[ContactId],
        now: Timestamp,
    ) -> Result<(), AttachError> {
        if self.merged.is_empty() && self.renamed.is_empty() && self.opt_outs.is_empty() {
            return Ok(());
        }
        let gone = self.merged.iter().map(|(_, gone, _)| gone);
        let known = self.known.values().map(|known| &known.contact);
        let all: Vec<ContactId> = known.chain(gone).chain(others).copied().collect();
        people::lock_consent_all_tenants(tx, &all).await?;
        let mut carried = Carried::default();
        for &(tenant, gone, stays) in &self.merged {
            let Some(states) = people::merge_contact(tx, tenant, gone, stays).await? else {
                return Err(AttachError::Race);
            };
            let proof = json!({"is_also": gone});
            carried.push((tenant, stays), states, now, proof);
        }
        for renamed in self.renamed.iter().filter(|renamed| renamed.stayed) {
            let (tenant, contact) = (renamed.tenant, self.is_now(renamed.contact));
            let next = |consent: &ConsentState, _: &_| consent.moved();
            let states = changes::set_consent(tx, tenant, contact, next, contact).await?;
            let proof = json!({"known_by_something_else": true});
            carried.push((tenant, contact), states, renamed.at, proof);
        }
        for &(tenant, from, to) in &self.opt_outs {
            let (from, to) = (self.is_now(from), self.is_now(to));
            let next = |consent: &ConsentState, other: &ConsentState| consent.joined(other);
            let states = changes::set_consent(tx, tenant, to, next, from).await?;
            carried.push(
                (tenant, to),
                states,
                now,
                json!({"shared_a_phone_with": from}),
            );
        }
        carried.record(attacher, tx, now).await
    }
}

/// What changes of identity did to people's consent: each a change that the ledger tells of.
#[derive(Default)]
struct Carried(Vec<(Whose, States, Timestamp, serde_json::Value)>);

type Whose = (TenantId, ContactId);
type States = (ConsentState, ConsentState);

impl Carried {
    fn push(&mut self, whose: Whose, states: States, at: Timestamp, proof: serde_json::Value) {
        self.0.push((whose, states, at, proof));
    }

    async fn record(
        self,
        attacher: &Attacher,
        tx: &mut Tx,
        now: Timestamp,
    ) -> Result<(), AttachError> {
        let snapshot = attacher.directory.snapshot();
        let mut statements = Vec::new();
        for ((tenant, contact), (before, after), at, proof) in self.0 {
            let mut numbers = snapshot.numbers();
            let topics = numbers.find(|entry| entry.number.tenant == tenant);
            let topic = |bit| topics.and_then(|entry| entry.tenant.topics.name(bit));
            let evidence = Evidence {
                proof,
                ..Evidence::default()
            };
            let how = (ConsentChannel::Identity, at);
            let (whose, states) = ((tenant, contact), (&before, &after));
            statements.extend(consent::changes(whose, states, topic, how, &evidence));
        }
        let next_id = || attacher.ids.next(now);
        Ok(consent::append(tx, &statements, now, next_id).await?)
    }
}
