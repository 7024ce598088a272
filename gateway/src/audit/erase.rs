//! Erasing what entries say of a person. The chain holds, because it binds hashes; that the values went, and with which
//! entries, is an entry itself, so that nobody without the key can take others away and say that they were erased.
//!
//! A person is looked for by ids, phones and user ids, never by name. No change writes a person's name into an entry
//! (contacts say which fields changed, not what they say); it may stand in what somebody typed about something else, the
//! reason of a hold or a note, and there a name is many people's: whoever looks for it takes other people's records away.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::AuditError;
use crate::domain::{AuditId, ContactId, ConversationId, TenantId};
use crate::storage::Tx;
use crate::storage::audit::{self, About, AuditEntry};
use crate::storage::person::Person;

/// The action of entries that name what was erased.
pub const ACTION: &str = "audit.erase";

/// Takes away what entries between two ids say of a person. Answers which; the caller records that ([`named`]) under `by`,
/// in the same transaction.
pub async fn step(
    tx: &mut Tx,
    tenant: TenantId,
    range: (i64, i64),
    person: &Person,
    by: AuditId,
) -> Result<Vec<AuditId>, AuditError> {
    let contacts = person.contacts.iter().copied().map(ContactId::from_raw);
    let talks = person
        .conversations
        .iter()
        .copied()
        .map(ConversationId::from_raw);
    let objects: Vec<String> = contacts
        .map(|id| id.to_string())
        .chain(talks.map(|id| id.to_string()))
        .collect();
    let about = About {
        objects: &objects,
        known_as: &person.known_as,
        but: ACTION,
    };
    let found = audit::saying(tx, tenant, range, about).await?;
    audit::erase(tx, tenant, &found, by).await?;
    Ok(found)
}

/// What an entry of the erasure says.
pub fn named(entries: &[AuditId]) -> Value {
    json!({ "entries": entries })
}

/// Of entries that say nothing: those whose values went with a person. Each must be named by a later entry that says so,
/// which names many and is read once.
pub(super) async fn erased(
    tx: &mut Tx,
    tenant: TenantId,
    entries: &[AuditEntry],
) -> crate::storage::Result<BTreeSet<AuditId>> {
    let mut named_by: BTreeMap<AuditId, Vec<AuditId>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| is_silent(entry)) {
        if let Some(by) = entry.erased_by.filter(|by| *by > entry.id) {
            named_by.entry(by).or_default().push(entry.id);
        }
    }
    let mut erased = BTreeSet::new();
    for (by, silent) in named_by {
        let by = audit::entry(tx, tenant, by).await?;
        let names = by.map(|by| names(&by)).unwrap_or_default();
        erased.extend(
            silent
                .into_iter()
                .filter(|id| names.contains(&id.to_string())),
        );
    }
    Ok(erased)
}

fn is_silent(entry: &AuditEntry) -> bool {
    entry.was.is_empty() && entry.became.is_empty() && entry.salt.is_empty()
}

/// Which entries this one says were erased.
fn names(by: &AuditEntry) -> BTreeSet<String> {
    let said: Value = match by.action == ACTION {
        true => serde_json::from_str(&by.became).unwrap_or_default(),
        false => Value::Null,
    };
    let names = said["entries"].as_array().into_iter().flatten();
    names
        .filter_map(|name| Some(name.as_str()?.to_owned()))
        .collect()
}
