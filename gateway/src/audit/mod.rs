//! The audit log: who changed what, from where, and what it was before. Never a secret, never a message's text.
//!
//! An entry is appended in the transaction of the change that it tells of ([`Record`]), so that there is neither a
//! change without its entry nor an entry without its change. Soon after, [`sealer`] gives it its place in a chain under
//! a key, and [`verify`] finds any change to what was sealed. What an entry says of a person can be erased
//! ([`erase`]): it hangs on a hash of its own. The chain itself is [`chain`]: other ledgers use it too.

mod actor;
pub mod chain;
pub mod erase;
mod sealer;
mod verify;
pub(crate) mod verify_job;

use serde_json::Value;

pub use actor::{Actor, ActorKind};
pub use sealer::{keep_sealing, seal_all};
pub(crate) use verify::LOST_HEAD;
pub use verify::{Fault, Report, Verification, Walk, holds_head, read_head, verify, write_head};
pub use verify_job::VerifyJob;

use crate::domain::{AuditId, TenantId, Timestamp};
use crate::secrets::{Entropy, SecretError, SystemEntropy};
use crate::storage::audit::{self, AuditEntry};
use crate::storage::{StorageError, Tx};

/// The name of this ledger among those that use [`chain`].
pub const LEDGER: &str = "audit";

/// The operator's own realm: rows that belong to no tenant.
pub const OPERATOR: TenantId = TenantId::from_raw(0);

/// Why an entry could not be written or a chain not be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the system gave no randomness for a salt")]
    Salt(#[source] SecretError),
}

/// For those whose other errors are the database's.
impl From<AuditError> for StorageError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Storage(error) => error,
            error @ AuditError::Salt(_) => Self::Unmade(error.to_string()),
        }
    }
}

/// What happened, as whoever did it tells it.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// Whose object it is; [`OPERATOR`] for what belongs to no tenant.
    pub tenant: TenantId,
    /// `number.update`: the kind of thing and the verb.
    pub action: &'static str,
    /// The id of what was changed.
    pub object: String,
    /// Without secrets. `None`: it did not exist.
    pub was: Option<Value>,
    pub became: Option<Value>,
    pub by: &'a Actor,
}

/// Appends an entry within the transaction of the change.
pub async fn append(
    tx: &mut Tx,
    id: AuditId,
    at: Timestamp,
    record: Record<'_>,
) -> Result<(), AuditError> {
    let mut salt = vec![0; 16];
    SystemEntropy
        .fill(&mut salt)
        .map_err(|error| AuditError::Salt(SecretError::Entropy(error)))?;
    let text = |value: Option<Value>| value.map_or_else(String::new, |value| value.to_string());
    let mut entry = AuditEntry {
        id,
        tenant: record.tenant,
        at,
        actor_kind: record.by.kind.text().to_owned(),
        actor: record.by.id.clone(),
        actor_name: record.by.name.clone(),
        address: record.by.address.clone(),
        agent: record.by.agent.clone(),
        action: record.action.to_owned(),
        object: record.object,
        was: text(record.was),
        became: text(record.became),
        salt,
        value_hash: Vec::new(),
        commitment: Vec::new(),
        erased_by: None,
        seq: 0,
        mac: Vec::new(),
    };
    entry.value_hash = value_hash(&entry);
    entry.commitment = commitment(&entry);
    Ok(audit::append(tx, record.tenant, &entry).await?)
}

/// What an entry says of people among others, bound to its salt: when both are gone, nobody can try values against it.
fn value_hash(entry: &AuditEntry) -> Vec<u8> {
    chain::commitment(
        &entry.salt,
        [&entry.was, &entry.became].map(String::as_bytes),
    )
}

/// All that stays after an erasure, and the hash of what may go. The first entries had no such hash: salt and values stand
/// in the commitment itself.
fn commitment(entry: &AuditEntry) -> Vec<u8> {
    let (id, tenant, at) = (
        entry.id.raw().to_string(),
        entry.tenant.raw().to_string(),
        entry.at.millis().to_string(),
    );
    let fields = [
        &id,
        &tenant,
        &at,
        &entry.actor_kind,
        &entry.actor,
        &entry.actor_name,
        &entry.address,
        &entry.agent,
        &entry.action,
        &entry.object,
    ];
    let fields = fields.map(String::as_bytes).into_iter();
    match entry.value_hash.is_empty() {
        true => {
            let values = [&entry.was, &entry.became].map(String::as_bytes);
            chain::commitment(&entry.salt, fields.chain(values))
        }
        false => chain::commitment(b"", fields.chain([&entry.value_hash[..]])),
    }
}
