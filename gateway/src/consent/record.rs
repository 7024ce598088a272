//! Making records: a statement and its evidence become a row whose content is bound by a salted commitment.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::chain;
use crate::domain::{
    ConsentChannel, ConsentId, ConsentScope, ConsentStatus, ContactId, NumberId, TenantId,
    Timestamp,
};
use crate::policy::ConsentState;
use crate::secrets::{Entropy, SystemEntropy};
use crate::storage::consents::{self, ConsentRecord};
use crate::storage::conversations;
use crate::storage::{Result, StorageError, Tx};

/// What proves a statement. Personal data: erased with the person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// By what the person was known: phone or user id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// From where: the page, form or campaign, the number that was written to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// IP address of the person's browser.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// Whatever shows it: a wamid, the words, a form's fields.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub proof: Value,
}

/// A statement about consent.
#[derive(Debug, Clone)]
pub struct Statement {
    pub tenant: TenantId,
    pub contact: ContactId,
    pub scope: ConsentScope,
    pub status: ConsentStatus,
    pub channel: ConsentChannel,
    /// When the person said so.
    pub at: Timestamp,
    /// Digest of the wording that was shown; empty: none.
    pub wording: Vec<u8>,
    pub evidence: Evidence,
    /// Who recorded it.
    pub by: String,
}

/// The name under which the gateway records what it sees itself.
const GATEWAY: &str = "gateway";

/// The statements that a change of state comes to, all with the same evidence. `topic` names a bit.
pub fn changes(
    (tenant, contact): (TenantId, ContactId),
    (before, after): (&ConsentState, &ConsentState),
    topic: impl Fn(u8) -> Option<String>,
    (channel, at): (ConsentChannel, Timestamp),
    evidence: &Evidence,
) -> Vec<Statement> {
    let changed = before.changes_to(after, topic).into_iter();
    let statement = |one: crate::policy::Changed| Statement {
        tenant,
        contact,
        scope: one.scope,
        status: one.status,
        channel,
        at,
        wording: Vec::new(),
        evidence: evidence.clone(),
        by: GATEWAY.to_owned(),
    };
    changed.map(statement).collect()
}

/// 131050 to a send: Meta's word that the person stopped marketing (facts §7). `contact`: whose row was moved by it.
pub async fn record_stop_by_meta(
    tx: &mut Tx,
    (tenant, contact): (TenantId, ContactId),
    send: &str,
    at: Timestamp,
    now: Timestamp,
    next_id: impl FnMut() -> i64,
) -> Result<()> {
    let about = (tenant, contact, ConsentScope::MetaMarketing);
    let statement = withdrawn_by_meta(about, (131050, send), at);
    append(tx, &[statement], now, next_id).await
}

/// 130403 to a send: Meta's word that the business has the person on the number's block list, where no mark of it was here.
pub async fn record_block_by_meta(
    tx: &mut Tx,
    (tenant, number, contact): (TenantId, NumberId, ContactId),
    send: &str,
    at: Timestamp,
    now: Timestamp,
    next_id: impl FnMut() -> i64,
) -> Result<()> {
    if !conversations::block(tx, tenant, number, contact, at).await? {
        return Ok(());
    }
    let about = (tenant, contact, ConsentScope::Number(number));
    let statement = withdrawn_by_meta(about, (130403, send), at);
    append(tx, &[statement], now, next_id).await
}

/// Told by an error of Meta's to a send.
fn withdrawn_by_meta(
    (tenant, contact, scope): (TenantId, ContactId, ConsentScope),
    (error, send): (i64, &str),
    at: Timestamp,
) -> Statement {
    Statement {
        tenant,
        contact,
        scope,
        status: ConsentStatus::Withdrawn,
        channel: ConsentChannel::Meta,
        at,
        wording: Vec::new(),
        evidence: Evidence {
            proof: serde_json::json!({"error": error, "send": send}),
            ..Evidence::default()
        },
        by: GATEWAY.to_owned(),
    }
}

/// Appends records within the transaction of the change.
pub async fn append(
    tx: &mut Tx,
    statements: &[Statement],
    now: Timestamp,
    mut next_id: impl FnMut() -> i64,
) -> Result<()> {
    let mut records = Vec::with_capacity(statements.len());
    for statement in statements {
        records.push(record(statement, ConsentId::from_raw(next_id()), now)?);
    }
    consents::append_all_tenants(tx, &records).await
}

fn record(statement: &Statement, id: ConsentId, now: Timestamp) -> Result<ConsentRecord> {
    let mut salt = vec![0; 16];
    let unmade = |error| StorageError::Unmade(format!("no randomness for a salt: {error}"));
    SystemEntropy.fill(&mut salt).map_err(unmade)?;
    // An erasure says nothing of the person, and is never erased itself.
    let value = match statement.status {
        ConsentStatus::Erased => String::new(),
        _ => serde_json::to_string(&statement.evidence)
            .map_err(|error| StorageError::Unmade(error.to_string()))?,
    };
    let mut record = ConsentRecord {
        id,
        tenant: statement.tenant,
        contact: statement.contact,
        scope: statement.scope.clone(),
        status: statement.status,
        channel: statement.channel,
        said_at: statement.at,
        recorded_at: now,
        recorded_by: statement.by.clone(),
        wording: statement.wording.clone(),
        value_hash: value_hash(&salt, &value),
        value,
        salt,
        commitment: Vec::new(),
        seq: 0,
        mac: Vec::new(),
    };
    record.commitment = commitment(&record);
    Ok(record)
}

/// What a record says of the person, bound to its salt: when both are gone, nobody can try values against it.
pub(super) fn value_hash(salt: &[u8], value: &str) -> Vec<u8> {
    chain::commitment(salt, [value.as_bytes()])
}

/// All that stays after an erasure, and the hash of what may go.
pub(super) fn commitment(record: &ConsentRecord) -> Vec<u8> {
    let numbers = [
        record.id.raw(),
        record.tenant.raw(),
        record.contact.raw(),
        record.said_at.millis(),
        record.recorded_at.millis(),
    ];
    let numbers = numbers.map(|number| number.to_string());
    let scope = record.scope.to_string();
    let texts = [
        scope.as_str(),
        record.status.word(),
        record.channel.word(),
        &record.recorded_by,
    ];
    let fields = numbers.iter().map(String::as_bytes);
    let fields = fields.chain(texts.map(str::as_bytes));
    let hashes = [&record.wording[..], &record.value_hash[..]];
    chain::commitment(b"", fields.chain(hashes))
}

/// What names a wording: a hash of what it says and which version of it that is.
pub fn digest_of(version: &str, language: &str, body: &str) -> Vec<u8> {
    chain::commitment(b"", [version, language, body].map(str::as_bytes))
}
