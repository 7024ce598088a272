//! Erasing what entries say of a person. The chain holds, because it binds hashes; that the values went, and with which
//! entries, is an entry itself, so that nobody without the key can take others away and say that they were erased.

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

/// Did what this entry says go with a person? It must be named by a later entry that says so.
pub(super) async fn is_erased(
    tx: &mut Tx,
    tenant: TenantId,
    entry: &AuditEntry,
) -> crate::storage::Result<bool> {
    let gone = entry.was.is_empty() && entry.became.is_empty() && entry.salt.is_empty();
    let Some(by) = entry.erased_by.filter(|by| gone && *by > entry.id) else {
        return Ok(false);
    };
    let by = audit::entry(tx, tenant, by).await?;
    let by = by.filter(|by| by.action == ACTION);
    let said: Option<Value> = by.and_then(|by| serde_json::from_str(&by.became).ok());
    let names = said.as_ref().and_then(|said| said["entries"].as_array());
    let own = json!(entry.id);
    Ok(names.is_some_and(|names| names.contains(&own)))
}
